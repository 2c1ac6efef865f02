"""A method made ready: its settings checked, its weights loaded and on the device. Once a run, however many slices it has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engine.core.axes import COIL
from engine.core.errors import InputError
from engine.core.requests import MethodRequest
from engine.core.types import Complex, Kind, KSpaceSeries
from engine.models import MODELS, ModelSpec
from engine.models.contract import Method
from engine.reconstruction.precision import check_precision


@dataclass(frozen=True, slots=True)
class Built:
    """A method ready to run on a device: its module, configuration, and the card of its weights."""

    spec: ModelSpec
    method: Method
    config: Any
    weights: Mapping[str, Any] | None
    precision: str = "float32"

    @property
    def normalise(self) -> str:
        """How k-space is scaled: as the weights were trained when their card says so, else as the method's spec says."""
        card = self.weights or {}
        return str(card.get("normalisation") or self.spec.normalise)


def build(request: MethodRequest, target: torch.device) -> Built:
    """Make the method with its settings and weights, on the device.

    Raises
    ------
    UnknownNameError, InputError, CheckpointMismatch
        No such method, or its settings or weights cannot be used.
    """
    spec = MODELS.get(request.method)
    check_precision(request.precision, target, spec.trainable, spec.name)
    if not spec.trainable:
        if request.weights is not None:
            raise InputError(f"{spec.name} takes no weights (expected none / found {request.weights})", "Leave out --weights.")
        config = configured(spec, request.options)
        return Built(spec, spec.build(config), config, None)
    from engine.reconstruction.weights import load, make_config

    if request.options:
        raise InputError(
            f"{spec.name} takes no options (found {', '.join(request.options)})", "Its settings come with its weights."
        )
    module, card = load(spec.name, request.weights, target)
    return Built(spec, module, make_config(spec, card["config"], card["id"]), card, request.precision)


def configured(spec: ModelSpec, options: Mapping[str, Any]) -> Any:
    """Return the default preset of a method with some fields replaced; a wrong name or type is an ``InputError``."""
    config = next(iter(spec.presets.values()))
    fields = {field.name: field for field in dataclasses.fields(config)}
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in fields:
            raise InputError(
                f"{spec.name} has no option {name!r} (expected {', '.join(fields) or 'none'})",
                "`myoscope models --json` lists them.",
            )
        default = getattr(config, name)
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if default is not None and value is not None and type(value) is not type(default):
            raise InputError(
                f"option {name} of {spec.name} is {value!r} (expected {type(default).__name__})",
                f"For example --option {name}={default}.",
            )
        values[name] = value
    return dataclasses.replace(config, **values)


def check_serves(spec: ModelSpec, series: KSpaceSeries) -> None:
    """Raise ``InputError`` when the method is not made for so many coils or for this kind of series."""
    coils = series.shape[COIL]
    if spec.max_coils is not None and coils > spec.max_coils:
        raise InputError(f"{spec.name} serves {spec.max_coils} coil (found {coils})", "Choose a multi-coil method.")
    if series.kind is not Kind.UNKNOWN and series.kind.value not in spec.kinds:
        raise InputError(
            f"{spec.name} is not made for {series.kind.value} (expected {', '.join(spec.kinds)})", "Choose another method."
        )


def check_finite(built: Built, image: Complex, index: int) -> None:
    """Raise ``InputError`` when a method gave NaN or infinity: weights that diverged, or settings that do."""
    bad = int(np.count_nonzero(~np.isfinite(image)))
    if bad:
        raise InputError(
            f"{built.spec.name} gave {bad} values that are NaN or infinite in slice {index} (expected none)",
            "Choose other weights or settings." if built.weights is not None else "Choose other settings or another method.",
        )
