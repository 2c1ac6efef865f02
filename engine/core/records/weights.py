"""Weights at hand: the model card, where its file lies, and where published weights come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from engine.core.errors import InputError
from engine.core.provenance import RESEARCH_USE
from engine.core.records.plain import FLAT, Plain

IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
# Names that Windows keeps for devices, whatever the ending.
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def check_id(identifier: str) -> str:
    """Return ``identifier`` if it can be the name of a file everywhere.

    Raises
    ------
    InputError
        Otherwise.
    """
    if not IDENTIFIER.fullmatch(identifier) or identifier.split(".", 1)[0] in RESERVED:
        raise InputError(
            f"{identifier!r} cannot name weights (expected lower-case letters, digits, '.', '_' and '-', at most 80)",
            "Choose a name like jotlasnet-radial-16.",
        )
    return identifier


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One set of weights.

    Parameters
    ----------
    id
        Name in the library: lower-case letters, digits, ``.``, ``_`` and ``-``.
    network, preset, config
        Registry name of the method, name of its preset (None when none fits), and its settings.
    parameters
        Number of weights.
    sha256
        Of the safetensors file.
    source, licence
        Where the weights come from and under what licence.
    parent
        Id of the weights these were fine-tuned from, or None.
    data, masks, accelerations, coils
        What they were trained on: series, mask pattern, (lowest, highest) nominal R or None, how coils were handled.
    normalisation
        Scaling rule they expect (:mod:`engine.physics.scaling`); "" leaves it to the method.
    scores
        Metric -> value on held-out data.
    protocol
        How the scores were taken.
    seed, software, created
        How and when they were made.
    known_failures
        Sentences.
    notes
        What whoever has the weights wants to say about them.
    use
        "research use only".
    """

    id: str
    network: str
    config: Mapping[str, Plain]
    parameters: int
    sha256: str
    preset: str | None = None
    source: str = "unknown"
    licence: str = "unknown"
    parent: str | None = None
    data: str = "unknown"
    masks: str = "unknown"
    accelerations: tuple[float, float] | None = None
    coils: str = "unknown"
    normalisation: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    protocol: str = ""
    seed: int | None = None
    software: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    known_failures: tuple[str, ...] = ()
    notes: str = ""
    use: str = RESEARCH_USE

    def __post_init__(self) -> None:
        check_id(self.id)
        for name in ("config", "scores", "software"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        object.__setattr__(self, "known_failures", tuple(self.known_failures))
        if self.accelerations is not None:
            low, high = self.accelerations
            object.__setattr__(self, "accelerations", (float(low), float(high)))


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """Weights at hand: their card, their file, its size (None when it is missing), and whether they came with the program."""

    card: ModelCard = field(metadata=FLAT)
    file: Path
    bytes: int | None
    bundled: bool


@dataclass(frozen=True, slots=True)
class WeightSource:
    """Where published weights can be imported from, for which networks, under what licence."""

    name: str
    title: str
    networks: tuple[str, ...]
    licence: str
    url: str
