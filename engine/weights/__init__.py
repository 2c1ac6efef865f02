"""Weights at hand: library, model cards, importers of published checkpoints."""
