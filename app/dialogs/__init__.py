"""Dialogs: about, preferences, axes, shortcuts."""
