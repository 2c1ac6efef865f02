"""Regions, scores and their protocols."""
