"""What a training run has told so far, made ready to be looked at: curves, words, time left."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.train.values import duration_text

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

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one event; unknown ones, and what is missing in known ones, are no matter."""
        kind = event.get("event")
        if kind == "start":
            self._start(event)
        elif kind == "step":
            self.step, self.steps = int(event["step"]), int(event.get("steps") or self.steps)
            self.seconds = float(event.get("seconds") or 0.0)
            self._recent.append((self.step, self.seconds))
            self.loss.add(self.step, _number(event.get("loss")))
        elif kind == "validation":
            self._validation(event)
        elif kind == "skipped":
            self.skipped.append((str(event.get("file")), str(event.get("reason"))))
        elif kind == "end":
            self.reason = str(event.get("reason") or "end")
            self.step, self.seconds = int(event.get("step") or self.step), float(event.get("seconds") or self.seconds)
        elif kind == "weights":
            self.weights = str(event.get("id") or "")

    def _start(self, event: Mapping[str, Any]) -> None:
        self.folder = str(event.get("folder") or self.folder)
        # No other run has its folder's name.
        self.title = self.folder.replace("\\", "/").rstrip("/").rpartition("/")[2] or self.title
        self.network, self.device = str(event.get("network") or ""), str(event.get("device") or "")
        self.parameters = int(event.get("parameters") or 0)
        self.step, self.steps = int(event.get("step") or 0), int(event.get("steps") or 0)
        self.reason, self.weights = "", ""
        self._recent.clear()

    def _validation(self, event: Mapping[str, Any]) -> None:
        step = int(event.get("step") or 0)
        for name in SCORES:
            if event.get(name) is not None:
                self.scores.setdefault(name, Growing()).add(step, _number(event[name]))
        self.metric = str(event.get("metric") or next(iter(self.scores), self.metric))
        found = event.get("score", event.get(self.metric))
        if event.get("best") is True and found is not None:
            self.best, self.best_step = float(found), step
        if event.get("preview"):
            self.last_preview, self.last_preview_step = str(event["preview"]), step
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


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


REASONS: Final = {
    "steps": "All steps are done",
    "minutes": "Its minutes are used up",
    "patience": "It did not get better any more",
    "stop": "Stopped",
    "discard": "Discarded",
}


def score_words(name: str, value: Any) -> str:
    """Return a score with digits that do not jump, and its unit."""
    return f"{_number(value):.2f} dB" if SCORES.get(name, "").endswith("dB") else f"{_number(value):.4f}"


def event_words(event: Mapping[str, Any]) -> str:
    """Return an event as a line of the log, "" for those that the curves tell better."""
    kind = event.get("event")
    if kind == "start":
        again = f", goes on at step {event.get('step')}" if event.get("resumed") else ""
        return f"{event.get('network')}, {event.get('parameters'):,} parameters, {event.get('device')}{again}"
    if kind == "validation":
        best = ", best so far" if event.get("best") is True else ""
        told = ", ".join(
            f"{words.partition(',')[0]} {score_words(name, event[name])}" for name, words in SCORES.items() if name in event
        )
        return f"step {event.get('step')}: {told}{best}"
    if kind == "skipped":
        return f"skipped {event.get('file')}: {event.get('reason')}"
    if kind == "end":
        reason = REASONS.get(str(event.get("reason")), str(event.get("reason")))
        return f"{reason} at step {event.get('step')}, after {duration_text(float(event.get('seconds') or 0))}"
    if kind == "weights":
        return f"weights {event.get('id')} are in the library ({_number(event.get('score')):.2f} dB at step {event.get('step')})"
    if kind in ("step", "paused", "resumed"):
        return ""
    return "  ".join(f"{key} {value}" for key, value in event.items() if key != "event")


def of_history(record: Mapping[str, Any], events: Iterable[Mapping[str, Any]] = ()) -> RunRecord:
    """Return a run from the list of runs, with what its log holds."""
    made = RunRecord(network=str(record.get("network") or ""), title=str(record["name"]))
    made.take({"event": "start", "folder": record["folder"], "network": made.network})
    for event in events:
        made.take(event)
    if not made.scores:
        for entry in record.get("history") or ():
            made.take({"event": "validation", **entry})
    made.step, made.steps = int(record.get("step") or 0), int(record.get("steps") or 0)
    made.best, made.best_step = record.get("best"), int(record.get("best_step") or 0)
    made.seconds = float(record.get("seconds") or 0.0)
    made.weights, made.parent = str(record.get("weights") or ""), str(record.get("parent") or "")
    return made


def same_levels(images: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Return one window for several pictures: from 0 to the 99.5th percentile of the brightest."""
    tops = [float(np.percentile(image, 99.5)) for image in images if image.size]
    return 0.0, max([*tops, 1e-12])
