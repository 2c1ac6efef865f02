"""Training as the window sees it: settings for a form, recipes, what is wrong with a configuration, what it will take, runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.core.errors import InputError
from engine.core.records.events import Validation
from engine.core.records.plain import Plain

ConfigValues: TypeAlias = Mapping[str, Plain]
"""A configuration as TOML holds it: nested tables of plain values, right or wrong; ``check_train_config`` tells which."""


@dataclass(frozen=True, slots=True)
class TrainSetting:
    """One setting of a training configuration: what a control is made from.

    Parameters
    ----------
    name
        Dotted ("optimiser.learning_rate"); without its table in ``fields``.
    kind
        ``text``, ``integer``, ``number``, ``flag``; ``texts``, ``integers`` (lists); ``integer_range``, ``number_range`` (low and
        high); ``weights`` (choices with a number each); ``options`` (settings of the network, whatever they are); ``sources`` (a
        list of entries, whose settings are in ``fields``).
    default
        As TOML holds it.
    help
        One sentence.
    choices
        What can be chosen, empty where anything can be written.
    low, high
        Range of a number, None where there is none.
    fields
        Settings of one entry of a list of sources.
    """

    name: str
    kind: str
    default: Plain
    help: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    fields: tuple[TrainSetting, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainPreset:
    """A recipe that comes with the program: the name of its file, title and notes, and what it sets."""

    name: str
    title: str
    notes: str = ""
    values: ConfigValues = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a configuration cannot be used: the settings that stand against each other, what is wrong, what to do."""

    fields: tuple[str, ...]
    message: str
    hint: str = ""

    @property
    def text(self) -> str:
        """Sentence and hint."""
        return f"{self.message}. {self.hint}".strip() if self.hint else self.message

    def error(self) -> InputError:
        """Return the problem as an error."""
        return InputError(self.message, self.hint)


@dataclass(frozen=True, slots=True)
class TrainEstimate:
    """What a step of a run will take.

    ``memory_mib`` beside what the program has already, and the sizes that it holds for, are of the largest example that the
    configuration allows; ``seconds_per_step`` is of a medium one. Either is None where it cannot be told.
    """

    memory_mib: float | None
    seconds_per_step: float | None
    parameters: int
    frames: int
    lines: int
    columns: int
    device: str


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A training run, as its last checkpoint tells.

    Parameters
    ----------
    folder, name, network
        Where it is kept, what it is called, what it trains.
    step, steps, seconds
        How far it is, of how many, and the time spent.
    best, best_step
        Best validation score so far (None before the first) and its step.
    history
        All validations.
    weights
        Id in the library, None before the end.
    parent
        What it started from, None for scratch.
    ended
        Why it came to its end, "" before.
    state
        ``running``, ``interrupted`` (it can be resumed) or ``ended``.
    """

    folder: str
    name: str
    network: str
    step: int
    steps: int
    best: float | None
    best_step: int
    seconds: float
    history: tuple[Validation, ...]
    weights: str | None
    parent: str | None
    ended: str
    state: str
