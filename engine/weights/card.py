"""The model card: what a set of weights is, where it comes from, and what it may be used for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from engine.core.errors import FormatError, InputError
from engine.core.provenance import RESEARCH_USE

IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
# Names that Windows keeps for devices, whatever the ending.
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


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
    config: Mapping[str, Any]
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

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: dict(v) if isinstance(v, Mapping) else list(v) if isinstance(v, tuple) else v for k, v in plain.items()}

    def to_json(self) -> str:
        """Return the card as indented JSON."""
        return json.dumps(self.as_dict(), indent=2) + "\n"


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


def from_json(text: str, where: str) -> ModelCard:
    """Read a card; keys that this version does not know are left out.

    Raises
    ------
    FormatError
        When it is not a card.
    """
    try:
        values = json.loads(text)
        known = {f.name for f in fields(ModelCard)}
        return ModelCard(**{k: v for k, v in values.items() if k in known})
    except (ValueError, TypeError, AttributeError, InputError) as error:
        raise FormatError(
            f"{where} is not a model card (expected JSON with id, network, config, parameters, sha256 / {error})",
            "Import the weights again.",
        ) from error
