"""Bland-Altman plot: difference over mean, with the bias and the limits of agreement."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app import theme
from engine.core.types import Float

MOST: Final = 4000
"""Points drawn: more than can be told apart."""


class BlandAltmanView(QWidget):
    """One method against the reference, pixel by pixel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maps.bland_altman")
        self.setAccessibleName("Bland-Altman plot")
        self.plot: Any = pg.PlotWidget(self)
        self.plot.setObjectName("maps.bland_altman.plot")
        self.plot.setAccessibleName("Difference over mean")
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.showGrid(x=True, y=True, alpha=0.15)
        for side in ("left", "bottom"):
            self.plot.getAxis(side).enableAutoSIPrefix(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self._given: tuple[Any, ...] = ()
        theme.notifier().changed.connect(self._draw)
        self._draw()

    def set_points(self, means: Float, differences: Float, bias: float, low: float, high: float, quantity: str) -> None:
        """Show differences over means, both in ms, with bias and limits of agreement (NaN where there are none)."""
        self._given = (np.asarray(means).ravel(), np.asarray(differences).ravel(), bias, low, high, quantity)
        self.setAccessibleDescription(f"bias {bias:.4g} ms, limits of agreement {low:.4g} to {high:.4g} ms")
        self._draw()

    def clear(self) -> None:
        """Show nothing."""
        self._given = ()
        self._draw()

    def _draw(self) -> None:
        plot = self.plot
        plot.clear()
        plot.setBackground(theme.color("base"))
        text, dim = theme.color("text"), theme.color("dim")
        for side in ("left", "bottom"):
            plot.getAxis(side).setPen(pg.mkPen(dim))
            plot.getAxis(side).setTextPen(pg.mkPen(text))
        if not self._given:
            return
        means, differences, bias, low, high, quantity = self._given
        plot.setLabel("bottom", f"mean of both {quantity}, ms", color=text.name())
        plot.setLabel("left", f"Δ{quantity}, ms", color=text.name())
        step = max(1, -(-means.size // MOST))
        mean, difference = means[::step], differences[::step]
        color = theme.color("accent")
        many = mean.size > 200
        color.setAlpha(90 if many else 200)
        plot.addItem(pg.ScatterPlotItem(mean, difference, size=4 if many else 8, pen=None, brush=color))
        for value, style, words in (
            (bias, Qt.PenStyle.SolidLine, "bias"),
            (low, Qt.PenStyle.DashLine, "− 1.96 SD"),
            (high, Qt.PenStyle.DashLine, "+ 1.96 SD"),
        ):
            if not np.isfinite(value):
                continue
            line = pg.InfiniteLine(
                value, 0, pg.mkPen(theme.color("warning"), width=1.4, style=style), label=f"{words} {value:.1f}",
                labelOpts={"position": 0.02, "color": text, "anchors": [(0, 1), (0, 1)]},
            )  # fmt: skip
            plot.addItem(line)
        spread = max(abs(high - bias), 1e-3) if np.isfinite(high) else max(float(np.abs(difference - bias).max()), 1e-3)
        plot.setYRange(bias - 2 * spread, bias + 2 * spread, padding=0.05)
        if mean.size:
            left, right = np.percentile(mean, (0.5, 99.5))
            plot.setXRange(float(left), float(max(right, left + 1.0)), padding=0.05)
