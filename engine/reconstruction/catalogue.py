"""The list of methods with their sizes and costs, for the method table and `myoscope models`."""

from __future__ import annotations

from functools import cache
from typing import Any

from engine.evaluation.complexity import macs
from engine.models import MODELS, ModelSpec
from engine.weights.library import listing


def methods() -> list[dict[str, Any]]:
    """Return one record for each method: names, kinds, presets with parameters and MACs, weights at hand, options, notes."""
    at_hand = listing()
    return [{**_fixed(name), "weights": [w["id"] for w in at_hand if w["network"] == name]} for name in MODELS.names()]


@cache
def _fixed(name: str) -> dict[str, Any]:
    """Return what does not change while the program runs."""
    spec = MODELS.get(name)
    return {
        "name": name,
        "title": spec.title,
        "paper": spec.paper,
        "kinds": list(spec.kinds),
        "presets": {preset: _preset(spec, preset) for preset in spec.presets},
        "trainable": spec.trainable,
        "needs_reference": spec.needs_reference,
        "max_coils": spec.max_coils,
        "options": _options(spec),
        "notes": list(spec.notes),
    }


def _preset(spec: ModelSpec, preset: str) -> dict[str, Any]:
    counted = macs(spec, preset) if spec.trainable else None
    return {
        "parameters": spec.parameters(preset),
        "macs": counted,
        "macs_shape": spec.macs_shape,
        "paper_macs": spec.paper_macs if preset == next(iter(spec.presets)) else None,
    }


def _options(spec: ModelSpec) -> dict[str, Any]:
    """Return the settings of a classical method with default and help."""
    import dataclasses

    if spec.trainable:
        return {}
    config = next(iter(spec.presets.values()))
    return {
        field.name: {"default": getattr(config, field.name), "help": field.metadata.get("help", "")}
        for field in dataclasses.fields(config)
    }
