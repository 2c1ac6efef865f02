"""What a training run tells while it runs: a record for each event, and the same as one JSON object."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from engine.core.records.plain import FLAT, Json, table


@dataclass(frozen=True, slots=True)
class Started:
    """A run begins, or goes on (``resumed``) from ``step``."""

    event: ClassVar = "start"
    folder: str
    network: str = ""
    step: int = 0
    steps: int = 0
    parameters: int = 0
    device: str = ""
    validation_examples: int = 0
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Stepped:
    """The loss at a step, and its ``terms`` by name; ``seconds`` are those of all sessions. ``steps`` is 0 where a log tells it."""

    event: ClassVar = "step"
    step: int
    steps: int = 0
    loss: float = math.nan
    learning_rate: float = math.nan
    seconds: float = 0.0
    terms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Validation:
    """Scores by name; ``score`` is that of ``metric``, which decides what is best; ``preview`` is a file, or ""."""

    event: ClassVar = "validation"
    step: int
    scores: Mapping[str, float] = field(default_factory=dict, metadata=FLAT)
    score: float = math.nan
    metric: str = ""
    best: bool = False
    seconds: float = 0.0
    preview: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file of the training data was left out."""

    event: ClassVar = "skipped"
    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Paused:
    """The run waits."""

    event: ClassVar = "paused"
    step: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The run goes on after it waited."""

    event: ClassVar = "resumed"
    step: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over; ``reason`` is ``steps``, ``minutes``, ``patience``, ``stop`` or ``discard``."""

    event: ClassVar = "end"
    step: int
    reason: str
    best: float | None = None
    best_step: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Registered:
    """The best weights are in the library."""

    event: ClassVar = "weights"
    id: str
    score: float | None = None
    step: int = 0


Event: TypeAlias = Started | Stepped | Validation | Skipped | Paused | Resumed | Ended | Registered
Sink: TypeAlias = Callable[[Event], None]
"""What hears the events of a run."""

_KINDS: Mapping[str, type[Any]] = {kind.event: kind for kind in (Started, Skipped, Paused, Resumed, Ended, Registered)}
_TERM = "loss_"


def as_table(event: Event) -> dict[str, Json]:
    """Return an event as a JSON object: ``event``, then its fields; terms are ``loss_NAME``, scores stand under their names."""
    made: dict[str, Json] = {"event": event.event}
    for name, value in table(event).items():
        if name == "terms" and isinstance(value, dict):
            made |= {f"{_TERM}{term}": number for term, number in value.items()}
        elif name != "preview" or value:
            made[name] = value
    return made


def from_table(values: Mapping[str, Json]) -> Event | None:
    """Return the event that :func:`as_table` wrote; None for what is none: another program may write between the lines.

    A number that was not finite, or is missing, is NaN where it is a loss or a score.
    """
    kind, step = values.get("event"), _whole(values.get("step"))
    if kind == "step":
        terms = {name.removeprefix(_TERM): _number(value) for name, value in values.items() if name.startswith(_TERM)}
        loss, rate = _number(values.get("loss")), _number(values.get("learning_rate"))
        return Stepped(step, _whole(values.get("steps")), loss, rate, _number(values.get("seconds"), 0.0), terms)
    if kind == "validation":
        own = {"event", "step", "score", "metric", "best", "seconds", "preview"}
        scores = {name: float(value) for name, value in values.items() if name not in own and isinstance(value, int | float)}
        metric = str(values.get("metric") or next(iter(scores), ""))
        score = _number(values.get("score"), scores.get(metric, math.nan))
        best, preview = values.get("best") is True, str(values.get("preview") or "")
        return Validation(step, scores, score, metric, best, _number(values.get("seconds"), 0.0), preview)
    found = _KINDS.get(str(kind))
    if found is None:
        return None
    try:
        made: Event = found(**{name: value for name, value in values.items() if name in found.__slots__})
    except TypeError:  # a field is missing
        return None
    return made


def _number(value: Json, missing: float = math.nan) -> float:
    return float(value) if isinstance(value, int | float) else missing


def _whole(value: Json) -> int:
    return int(value) if isinstance(value, int | float) else 0
