"""What a training run has told so far, made ready to be looked at: curves, words, time left."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.train.values import duration_text
from engine.core.records.events import Ended, Event, Registered, Skipped, Started, Stepped, Validation
from engine.core.records.training import RunInfo

POINTS: Final = 1200
"""Most points of a curve on screen: about one for each pixel across."""
RECENT: Final = 60
SCORES: Final = {"psnr": "PSNR, dB", "ssim": "SSIM", "nmse": "NMSE", "held_db": "Samples kept aside, dB"}
"""Scores of a validation by name; the last one stands in where nothing was ever fully sampled."""
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


class Growing:
    """Two columns that grow: step and value; appending costs nothing that grows with them."""

    def __init__(self) -> None:
        self._data = np.empty((2, 256))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, step: float, value: float) -> None:
        """Append a point; a run that goes on from an earlier step forgets what it told beyond it."""
        while self._count and self._data[0, self._count - 1] >= step:
            self._count -= 1
        if self._count == self._data.shape[1]:
            self._data = np.concatenate([self._data, np.empty_like(self._data)], axis=1)
        self._data[:, self._count] = step, value
        self._count += 1

    def curve(self) -> Curve:
        """Return steps and values, views of what is there."""
        return self._data[0, : self._count], self._data[1, : self._count]


def thinned(curve: Curve, points: int = POINTS) -> Curve:
    """Return a curve of at most ``points`` points, each the mean of its neighbours; values that are not finite are left out."""
    steps, values = curve
    good = np.isfinite(values)
    steps, values = steps[good], values[good]
    if steps.size <= points:
        return steps, values
    edges = np.linspace(0, steps.size, points + 1).astype(int)[:-1]
    sizes = np.diff(np.append(edges, steps.size))
    return np.add.reduceat(steps, edges) / sizes, np.add.reduceat(values, edges) / sizes


def smoothed(curve: Curve, span: int = 25) -> Curve:
    """Return a curve averaged over ``span`` points around each (fewer at its ends)."""
    steps, values = curve
    if values.size < 3:
        return steps, values
    half = min(span, values.size) // 2
    total = np.concatenate([[0.0], np.cumsum(values)])
    low = np.maximum(np.arange(values.size) - half, 0)
    high = np.minimum(np.arange(values.size) + half + 1, values.size)
    return steps, (total[high] - total[low]) / (high - low)


@dataclass(eq=False)
class RunRecord:
    """One run: fed with its events, one after the other; ``reason`` says why it ended, "" while it has not."""

    folder: str = ""
    title: str = ""
    network: str = ""
    device: str = ""
    parent: str = ""
    parameters: int = 0
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int = 0
    metric: str = "psnr"
    reason: str = ""
    weights: str = ""
    loss: Growing = field(default_factory=Growing)
    scores: dict[str, Growing] = field(default_factory=dict)
    first_preview: str = ""
    last_preview: str = ""
    last_preview_step: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    _recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=RECENT))

    def take(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Stepped):
            self.step, self.steps, self.seconds = event.step, event.steps or self.steps, event.seconds
            self._recent.append((self.step, self.seconds))
            self.loss.add(self.step, event.loss)
        elif isinstance(event, Validation):
            self._validation(event)
        elif isinstance(event, Skipped):
            self.skipped.append((event.file, event.reason))
        elif isinstance(event, Ended):
            self.reason = event.reason or "end"
            self.step, self.seconds = event.step or self.step, event.seconds or self.seconds
        elif isinstance(event, Registered):
            self.weights = event.id

    def _start(self, event: Started) -> None:
        self.folder = event.folder or self.folder
        # No other run has its folder's name.
        self.title = self.folder.replace("\\", "/").rstrip("/").rpartition("/")[2] or self.title
        self.network, self.device = event.network, event.device
        self.parameters, self.step, self.steps = event.parameters, event.step, event.steps
        self.reason, self.weights = "", ""
        self._recent.clear()

    def _validation(self, event: Validation) -> None:
        for name in SCORES:
            if name in event.scores:
                self.scores.setdefault(name, Growing()).add(event.step, event.scores[name])
        self.metric = event.metric or next(iter(self.scores), self.metric)
        if event.best and math.isfinite(event.score):
            self.best, self.best_step = event.score, event.step
        if event.preview:
            self.last_preview, self.last_preview_step = event.preview, event.step
            if not self.first_preview:
                self.first_preview = self.last_preview

    @property
    def fraction(self) -> float:
        """Share of the steps that is done."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0

    def seconds_left(self, minutes: float = 0.0) -> float | None:
        """Return how long it goes on from the speed of late, None until that can be told; ``minutes`` is the run's own limit."""
        limit = 60 * minutes - self.seconds if minutes > 0 else math.inf
        if len(self._recent) >= 2:
            (first, then), (last, now) = self._recent[0], self._recent[-1]
            if last > first and now > then:
                limit = min(limit, (self.steps - self.step) * (now - then) / (last - first))
        return max(0.0, limit) if math.isfinite(limit) else None


REASONS: Final = {
    "steps": "All steps are done",
    "minutes": "Its minutes are used up",
    "patience": "It did not get better any more",
    "stop": "Stopped",
    "discard": "Discarded",
}


def score_words(name: str, value: float) -> str:
    """Return a score with digits that do not jump, and its unit."""
    return f"{value:.2f} dB" if SCORES.get(name, "").endswith("dB") else f"{value:.4f}"


def event_words(event: Event) -> str:
    """Return an event as a line of the log, "" for those that the curves tell better."""
    if isinstance(event, Started):
        again = f", goes on at step {event.step}" if event.resumed else ""
        return f"{event.network}, {event.parameters:,} parameters, {event.device}{again}"
    if isinstance(event, Validation):
        best = ", best so far" if event.best else ""
        told = ", ".join(
            f"{words.partition(',')[0]} {score_words(name, event.scores[name])}"
            for name, words in SCORES.items()
            if name in event.scores
        )
        return f"step {event.step}: {told}{best}"
    if isinstance(event, Skipped):
        return f"skipped {event.file}: {event.reason}"
    if isinstance(event, Ended):
        return f"{REASONS.get(event.reason, event.reason)} at step {event.step}, after {duration_text(event.seconds)}"
    if isinstance(event, Registered):
        score = "" if event.score is None else f" ({event.score:.2f} dB at step {event.step})"
        return f"weights {event.id} are in the library{score}"
    return ""


def of_history(info: RunInfo, events: Iterable[Event] = ()) -> RunRecord:
    """Return a run from the list of runs, with what its log holds."""
    made = RunRecord(network=info.network, title=info.name)
    made.take(Started(info.folder, info.network))
    for event in events:
        made.take(event)
    if not made.scores:
        for told in info.history:
            made.take(told)
    made.step, made.steps = info.step, info.steps
    made.best, made.best_step = info.best, info.best_step
    made.seconds = info.seconds
    made.weights, made.parent = info.weights or "", info.parent or ""
    return made


def same_levels(images: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Return one window for several pictures: from 0 to the 99.5th percentile of the brightest."""
    tops = [float(np.percentile(image, 99.5)) for image in images if image.size]
    return 0.0, max([*tops, 1e-12])
