"""What the catalogue says of a method, and what has weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.core.records.options import Option
from engine.core.records.plain import BY_NAME


@dataclass(frozen=True, slots=True)
class PresetInfo:
    """The size and the cost of a method with one set of its settings.

    Parameters
    ----------
    parameters
        Trainable parameters, 0 for a classical method.
    frames
        The number of frames that a network is built for, None where any will do.
    macs, macs_shape
        Multiply-accumulates at that shape ("12x10x128x128": frame, coil, y, x), None when they were not counted.
    paper_macs
        The paper's own figure, None where it gives none for this preset.
    memory_mib
        What one slice of that shape takes, None when it was not foretold.
    """

    parameters: int = 0
    frames: int | None = None
    macs_shape: str = ""
    paper_macs: float | None = None
    macs: float | None = None
    memory_mib: int | None = None


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """One method: a network or a classical one.

    Parameters
    ----------
    name, title, paper
        Registry name, name on screen, where it comes from.
    kinds
        Kinds of series it serves.
    presets
        Name -> size and cost; the first is the default.
    trainable
        Whether it has weights, without which it must not be run.
    macs_counting
        How the paper counts multiply-accumulates, as a sentence.
    needs_reference
        Whether it needs a second sequence.
    max_coils
        1 for methods of coil-combined data only, else None.
    sources
        Where published weights of it can be had (:class:`engine.core.records.weights.WeightSource`).
    options
        Settings of a classical method.
    notes
        Deviations and limits, in sentences.
    weights
        Ids of the weights at hand.
    """

    name: str
    title: str
    paper: str = ""
    kinds: tuple[str, ...] = ()
    presets: Mapping[str, PresetInfo] = field(default_factory=dict)
    trainable: bool = False
    macs_counting: str = ""
    needs_reference: bool = False
    max_coils: int | None = None
    sources: tuple[str, ...] = ()
    options: tuple[Option, ...] = field(default=(), metadata=BY_NAME)
    notes: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()

    @property
    def default_preset(self) -> PresetInfo:
        """The preset that is taken when none is named."""
        return next(iter(self.presets.values()), PresetInfo())
