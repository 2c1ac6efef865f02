"""Panes drawn with QPainter (linked grid, legend, empty state), cine player, mask picture, tables."""
