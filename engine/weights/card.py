"""Model cards as files: JSON beside the weights that they describe."""

from __future__ import annotations

import json
from dataclasses import fields

from engine.core.errors import FormatError, InputError
from engine.core.records.plain import table
from engine.core.records.weights import ModelCard


def to_json(card: ModelCard) -> str:
    """Return a card as indented JSON."""
    return json.dumps(table(card), indent=2) + "\n"


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
