"""Curves of training runs: loss (logarithmic) and validation score over steps, the best step marked. Loads pyqtgraph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app import theme
from app.display.curves import style
from app.train.run import SCORES, Curve, RunRecord, score_words, smoothed, thinned
from app.views.curve import LINES
from app.views.plots import SIDES, dress, new_plot

INTERVAL_MS: Final = 200
"""Curves are drawn again five times a second at most."""
AXIS: Final = 56


class LossAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """Ticks of a logarithmic axis at 1, 2 and 5 times powers of ten: never so close that they cover each other."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:  # noqa: N803, ARG002
        """Return the places of the ticks, in powers of ten."""
        digits = (1, 2, 5) if maxVal - minVal < 3 else (1,)
        powers = range(math.floor(minVal), math.ceil(maxVal) + 1)
        places = [power + math.log10(digit) for power in powers for digit in digits]
        return [(1.0, [place for place in places if minVal <= place <= maxVal])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:  # noqa: ARG002
        """Return what is written at them."""
        return [f"{10**value:.1g}" for value in values]


class TrainCurves(QWidget):
    """Loss of one or several runs at the left, their validation scores at the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train.curves")
        self.setAccessibleName("Curves of the training")
        self.runs: tuple[RunRecord, ...] = ()
        self.shown_metric = self._metric = "psnr"
        self._scores_drawn: tuple[int, ...] = ()
        self._lines: tuple[Any, Any] | None = None
        self._shown = 0.0
        self.drawn = 0
        self.loss, self.score = self._plot("train.curves.loss"), self._plot("train.curves.score")
        self.loss.setLogMode(x=False, y=True)
        self.score.setXLink(self.loss)
        self.legend = self.score.addLegend(offset=(-6, -6), labelTextSize="8pt")
        self._timer = QTimer(self)
        self._timer.setObjectName("curves.clock")
        self._timer.setSingleShot(True)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._on_time)
        self._due = False
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.loss, 1)
        layout.addWidget(self.score, 1)
        theme.notifier().changed.connect(self._dress)
        self._dress()

    def _plot(self, name: str) -> Any:
        axes = {"left": LossAxis("left")} if name.endswith("loss") else {}
        words = "Loss over steps" if name.endswith("loss") else "Validation score over steps"
        plot = new_plot(self, name, words, AXIS, grid=0.12, axes=axes)
        plot.setMouseEnabled(x=False, y=False)
        plot.setMinimumHeight(150)
        return plot

    def _dress(self) -> None:
        dress((self.loss, self.score), self.legend)
        self.draw()

    def set_runs(self, runs: Sequence[RunRecord]) -> None:
        """Show other runs, the first in front."""
        self.runs = tuple(runs)
        self.draw()

    def set_metric(self, name: str) -> None:
        """Show another score."""
        self.shown_metric = name
        self.draw()

    def refresh(self) -> None:
        """Say that a run told something: drawn at once, or as soon as the last drawing is long enough ago."""
        if self._timer.isActive():
            self._due = True
        elif self.isVisible():
            self._grow()
            self._timer.start()

    def stop(self) -> None:
        """Draw no more by itself (the window closes)."""
        self._timer.stop()
        self._due = False

    def _on_time(self) -> None:
        if self._due:
            self._due = False
            self.refresh()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.draw()

    def draw(self) -> None:
        """Draw all curves anew."""
        self.drawn += 1
        known = {name for run in self.runs for name in run.scores}
        self._metric = self.shown_metric if self.shown_metric in known or not self.runs else self.runs[0].metric
        text = theme.color("text").name()
        for plot, words in ((self.loss, "training loss"), (self.score, SCORES[self._metric])):
            plot.clear()
            plot.setLabel("left", words, color=text)
            plot.setLabel("bottom", "step", color=text)
            for side in SIDES:
                # Numbers without a curve would be invented.
                plot.getAxis(side).setStyle(showValues=bool(self.runs))
        self.legend.clear()
        self._lines = None
        for index, run in reversed(list(enumerate(self.runs))):
            self._draw_loss(index, run)
            self._draw_scores(index, run)
        self._scores_drawn = self._score_counts()
        self._fit_ranges()
        self._fit_scores()
        self._describe()

    def _grow(self) -> None:
        """Draw what the run told since: its loss, which comes often; all of it after a validation."""
        if self._score_counts() != self._scores_drawn or self._lines is None or len(self.runs) != 1:
            self.draw()
            return
        self.drawn += 1
        raw, smooth = self._lines
        curve = _positive(self.runs[0])
        if raw is not None:
            raw.setData(*curve)
        smooth.setData(*smoothed(curve))
        self._fit_ranges()

    def _score_counts(self) -> tuple[int, ...]:
        return tuple(len(run.scores.get(self._metric, ())) for run in self.runs)

    def _draw_loss(self, index: int, run: RunRecord) -> None:
        color, _, line = style(index)
        faint = QColor(color)
        faint.setAlpha(70)
        curve = _positive(run)
        raw = self.loss.plot(*curve, pen=pg.mkPen(faint, width=1)) if len(self.runs) == 1 else None
        self._lines = raw, self.loss.plot(*smoothed(curve), pen=pg.mkPen(color, width=2, style=LINES[line]))

    def _draw_scores(self, index: int, run: RunRecord) -> None:
        color, symbol, line = style(index)
        scores = run.scores.get(self._metric)
        if scores is None or not len(scores):
            return
        steps, values = thinned(scores.curve())
        pen = pg.mkPen(color, width=1.6, style=LINES[line])
        rim = theme.color("base").name()
        shown = {"symbol": symbol, "symbolSize": 6, "symbolBrush": color, "symbolPen": rim} if steps.size <= 80 else {}
        self.score.plot(steps, values, pen=pen, name=run.title, **shown)
        if run.best is not None:
            self._mark_best(run, color, scores.curve())

    def _fit_ranges(self) -> None:
        """Show twice what is done, at most all: the whole run from the start would leave a live curve in a corner."""
        last = max([run.steps or run.step for run in self.runs] or [1])
        done = max([run.step for run in self.runs] or [0])
        shown = float(max(1, last))
        while done and shown >= 4 * done and shown > 16:
            # In steps, so that ticks and grid stand still most of the time.
            shown /= 2
        if shown != self._shown:
            self._shown = shown
            self.loss.setXRange(0, shown, padding=0.01)

    def _fit_scores(self) -> None:
        """Leave room above the best for its words."""
        values = [run.scores[self._metric].curve()[1] for run in self.runs if self._metric in run.scores]
        shown = np.concatenate([np.empty(0), *values])
        shown = shown[np.isfinite(shown)]
        if shown.size:
            low, high = float(shown.min()), float(shown.max())
            span = max(high - low, 1e-3 * max(abs(high), 1e-3))
            self.score.setYRange(low - 0.06 * span, high + 0.2 * span, padding=0)

    def _mark_best(self, run: RunRecord, color: str, curve: tuple[np.ndarray, np.ndarray]) -> None:
        at = int(np.searchsorted(curve[0], run.best_step))
        if at >= curve[0].size or curve[0][at] != run.best_step:
            return
        value = float(curve[1][at])
        text = theme.color("text")
        pen = pg.mkPen(text, width=1.2)
        self.score.plot([run.best_step], [value], pen=None, symbol="star", symbolSize=16, symbolBrush=color, symbolPen=pen)
        self.score.addLine(x=run.best_step, pen=pg.mkPen(color, width=1, style=Qt.PenStyle.DotLine))
        if len(self.runs) == 1:
            words = pg.TextItem(f"best {score_words(self._metric, value)}", color=text, anchor=(1.1, 1.3))
            words.setPos(run.best_step, value)
            if run.best_step < 0.3 * max(1, float(curve[0][-1])):
                words.setAnchor((-0.1, -0.3))
            self.score.addItem(words, ignoreBounds=True)

    def _describe(self) -> None:
        said = []
        for run in self.runs:
            best = "" if run.best is None else f", best {run.best:.2f} dB at step {run.best_step}"
            said.append(f"{run.title}: step {run.step} of {run.steps}{best}")
        self.setAccessibleDescription("; ".join(said) or "No run yet")


def _positive(run: RunRecord) -> Curve:
    """Return the loss of a run where it can be drawn on a logarithmic axis."""
    steps, values = thinned(run.loss.curve())
    good = values > 0
    return steps[good], values[good]
