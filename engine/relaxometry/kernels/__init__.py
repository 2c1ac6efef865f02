"""Compiled inner loops of the fit. Importing a module of this package imports numba; the fit does so when it computes."""
