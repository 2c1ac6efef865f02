"""Compiled inner loops of the metrics. Importing a module of this package imports numba; the metrics do so when they compute."""
