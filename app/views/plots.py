"""What all plots have alike: no menus, no buttons, a quiet grid, the theme's colours. Loads pyqtgraph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app import theme

SIDES = ("left", "bottom")


def new_plot(parent: QWidget, name: str, words: str, axis_width: int, grid: float, axes: dict[str, Any] | None = None) -> Any:
    """Return a plot called ``name``, ``words`` for those who do not see it."""
    plot = pg.PlotWidget(parent, axisItems=axes or {})
    plot.setObjectName(name)
    plot.setAccessibleName(words)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    plot.showGrid(x=True, y=True, alpha=grid)
    plot.getAxis("left").setWidth(axis_width)
    for side in SIDES:
        # Powers of ten in a corner would have to be read twice.
        plot.getAxis(side).enableAutoSIPrefix(False)
    return plot


def dress(plots: Iterable[Any], legend: Any) -> None:
    """Give plots and a legend the colours of the theme."""
    background, text, dim = (theme.color(name) for name in ("base", "text", "dim"))
    for plot in plots:
        plot.setBackground(background)
        for side in SIDES:
            axis = plot.getAxis(side)
            axis.setPen(pg.mkPen(dim))
            axis.setTextPen(pg.mkPen(text))
    legend.setLabelTextColor(text)
