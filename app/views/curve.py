"""The curve of a clicked pixel: measured samples with the sign that was found, fitted curves, residuals. Loads pyqtgraph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app import theme
from app.display.curves import CurveEntry, style
from app.views.plots import dress, new_plot

LINES: Final = {
    "solid": Qt.PenStyle.SolidLine,
    "dash": Qt.PenStyle.DashLine,
    "dot": Qt.PenStyle.DotLine,
    "dashdot": Qt.PenStyle.DashDotLine,
}
AXIS: Final = 52


class CurveView(QWidget):
    """Signal over time above, residuals below, on one time axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("maps.curve")
        self.setAccessibleName("Curve of the clicked pixel")
        self.entries: tuple[CurveEntry, ...] = ()
        self.signal, self.residual = self._plot("maps.curve.signal"), self._plot("maps.curve.residual")
        self.residual.setXLink(self.signal)
        self.residual.setMinimumHeight(96)
        self.residual.setMaximumHeight(128)
        self.legend = self.signal.addLegend(offset=(-6, -6), labelTextSize="8pt")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.signal, 3)
        layout.addWidget(self.residual, 1)
        theme.notifier().changed.connect(self._dress)
        self._dress()

    def _plot(self, name: str) -> Any:
        words = "Signal over time" if name.endswith("signal") else "Residuals over time"
        plot = new_plot(self, name, words, AXIS, grid=0.15)
        plot.setAntialiasing(True)
        return plot

    def _dress(self) -> None:
        dress((self.signal, self.residual), self.legend)
        self._draw()

    def set_entries(self, entries: Sequence[CurveEntry]) -> None:
        """Show the fits of one pixel; () clears."""
        self.entries = tuple(entries)
        said = ", ".join(entry.title for entry in entries)
        self.setAccessibleDescription(f"Samples and fitted curves of {said}" if said else "No pixel is clicked")
        self._draw()

    def _draw(self) -> None:
        for plot in (self.signal, self.residual):
            plot.clear()
        self.legend.clear()
        text = theme.color("text")
        zero = pg.mkPen(theme.color("dim"), width=1)
        for plot in (self.signal, self.residual):
            plot.addLine(y=0, pen=zero)
        name = self.entries[0].time_name if self.entries else "time"
        self.signal.setLabel("left", "signal", color=text.name())
        self.residual.setLabel("left", "residual", color=text.name())
        self.residual.setLabel("bottom", f"{name}, ms", color=text.name())
        for index, entry in enumerate(self.entries):
            self._draw_entry(index, entry)
        self._fit_ranges()

    def _draw_entry(self, index: int, entry: CurveEntry) -> None:
        color, symbol, line = style(index)
        fit = entry.fit
        if fit.curve.size:
            pen = pg.mkPen(color, width=1.6, style=LINES[line])
            self.signal.plot(fit.curve_times_ms, fit.curve, pen=pen, name=entry.title)
        rim = theme.color("base").name()
        self.signal.plot(
            fit.times_ms, fit.samples, pen=None, symbol=symbol, symbolSize=7, symbolBrush=color, symbolPen=rim,
            name=None if fit.curve.size else entry.title,
        )  # fmt: skip
        # Bars of several methods stand beside each other, as wide as the closest samples allow.
        times = np.unique(fit.times_ms)
        span = float(times[-1]) if times.size else 1.0
        width = max(min(float(np.diff(times).min()) if times.size > 1 else span, span / 20) * 0.8 / len(self.entries), span / 140)
        shift = (index - (len(self.entries) - 1) / 2) * width
        self.residual.addItem(pg.BarGraphItem(x=fit.times_ms + shift, height=fit.residuals, width=width, brush=color, pen=None))

    def _fit_ranges(self) -> None:
        if not self.entries:
            return
        last = max(float(np.max(entry.fit.times_ms)) for entry in self.entries)
        self.signal.setXRange(0, last * 1.04, padding=0.02)
        shown = np.concatenate([np.concatenate([entry.fit.samples, entry.fit.curve]) for entry in self.entries])
        shown = shown[np.isfinite(shown)]
        if shown.size:
            low, high = min(0.0, float(shown.min())), max(0.0, float(shown.max()))
            self.signal.setYRange(low, high or 1.0, padding=0.06)
        left = np.concatenate([np.abs(entry.fit.residuals) for entry in self.entries])
        left = left[np.isfinite(left)]
        top = float(left.max()) if left.size else 1.0
        self.residual.setYRange(-top or -1.0, top or 1.0, padding=0.1)
