"""What the registries list: mask families, metrics, loss terms, file formats, signal models."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.core.records.options import Option
from engine.core.records.plain import BY_NAME


@dataclass(frozen=True, slots=True)
class MaskFamily:
    """A sampling pattern.

    ``per_frame`` says whether it by habit differs from frame to frame, ``cartesian_1d`` whether whole readout lines are measured;
    ``uses_...`` which of the common controls mean something for it; ``source`` is the paper or protocol of the rule.
    """

    name: str
    title: str
    description: str
    per_frame: bool = False
    cartesian_1d: bool = True
    uses_acceleration: bool = True
    uses_acs: bool = True
    uses_seed: bool = True
    options: tuple[Option, ...] = field(default=(), metadata=BY_NAME)
    source: str = ""


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """An image quality metric; ``unit`` is "dB" or "", ``source`` the paper with the parameters used."""

    name: str
    title: str
    unit: str
    higher_is_better: bool
    takes_region: bool
    source: str


@dataclass(frozen=True, slots=True)
class LossInfo:
    """A term of a training loss.

    ``needs_target`` says whether it compares with a fully sampled image, ``needs_mapping`` whether it asks the mapping network;
    ``networks`` are those that report what it reads, empty when every network will do.
    """

    name: str
    title: str
    needs_target: bool = True
    needs_mapping: bool = False
    networks: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """A file format.

    ``suffixes`` are patterns for a file dialog ("*.h5"); ``writes`` says what of ours can be written in it (``kspace``, ``images``,
    ``reconstruction``, ``maps`` ...), empty for a format that is only read.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    reads: bool = True
    writes: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class FitModelInfo:
    """A signal model of relaxometry.

    ``quantity`` is ``T1`` or ``T2``; ``signed`` what the samples may be (``magnitude``, ``signed``, ``complex``); ``efficiency``
    whether an inversion efficiency means something for it; ``network`` whether a network estimates the parameters.
    """

    name: str
    title: str
    quantity: str
    parameters: tuple[str, ...]
    minimum_samples: int
    signed: tuple[str, ...]
    efficiency: bool = False
    network: bool = False
    source: str = ""
