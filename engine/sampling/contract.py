"""What a mask pattern is, and how one is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.core.errors import InputError
from engine.core.records.options import Option
from engine.core.records.registries import MaskFamily
from engine.core.registry import Registry
from engine.core.requests import MaskRequest
from engine.core.types import Bool, SamplingMask
from engine.sampling.acs import centre_lines


@dataclass(frozen=True, slots=True)
class MaskSpec:
    """A pattern.

    Parameters
    ----------
    name, title, description
        Registry name, name on screen, one sentence for the tooltip.
    build
        ``build(frames, ky, kx, acceleration, acs, rng, **options)`` gives bool (frame or 1, ky, kx or 1). ``frames`` is 1 when
        one mask serves all frames. ``rng`` is ``numpy.random.Generator(PCG64(seed))``: the same numbers on every machine.
    per_frame
        Whether the pattern by habit differs from frame to frame.
    cartesian_1d
        Whether whole readout lines are measured.
    uses_acceleration, uses_acs, uses_seed
        Which of the common controls mean something for it.
    source
        Paper or protocol the rule comes from.
    """

    name: str
    title: str
    description: str
    build: Callable[..., Bool]
    per_frame: bool = False
    cartesian_1d: bool = True
    uses_acceleration: bool = True
    uses_acs: bool = True
    uses_seed: bool = True
    options: tuple[Option, ...] = ()
    source: str = ""

    @property
    def info(self) -> MaskFamily:
        """What a person is told of it."""
        return MaskFamily(
            self.name,
            self.title,
            self.description,
            self.per_frame,
            self.cartesian_1d,
            self.uses_acceleration,
            self.uses_acs,
            self.uses_seed,
            self.options,
            self.source,
        )


MASKS: Registry[MaskSpec] = Registry("mask pattern", "engine.sampling", "masks")


def make_mask(request: MaskRequest, frames: int, ky: int, kx: int) -> SamplingMask:
    """Return the mask of ``request`` for a matrix of ``frames`` x ``ky`` x ``kx``.

    Raises
    ------
    UnknownNameError
        No such pattern.
    InputError
        R below 1, not a number or above ky; ACS wider than the matrix; a negative seed; an unknown or impossible option.
    """
    spec = MASKS.get(request.pattern)
    if min(frames, ky, kx) < 1:
        raise InputError(
            f"a mask of {frames} frames x {ky} x {kx} is empty (expected at least 1 along each axis)", "Check the series' axes."
        )
    if spec.uses_acceleration:
        _check_acceleration(request.acceleration, ky)
    if spec.uses_acs:
        _check_acs(spec, request.acs, ky, kx)
    if request.seed < 0:
        raise InputError(f"seed {request.seed} is not possible (expected 0 or more)", "Choose a seed from 0.")
    options = _options(spec, request.options)
    per_frame = spec.per_frame if request.per_frame is None else request.per_frame
    rng = np.random.Generator(np.random.PCG64(request.seed))
    lines = spec.build(frames if per_frame else 1, ky, kx, float(request.acceleration), int(request.acs), rng, **options)
    centre = centre_lines(ky, request.acs)
    acs = (centre.start, centre.stop) if spec.uses_acs and request.acs else None
    return SamplingMask(
        lines=lines,
        pattern=spec.name,
        nominal_acceleration=float(request.acceleration) if spec.uses_acceleration else None,
        acs=acs,
        seed=request.seed if spec.uses_seed else None,
    )


def _check_acceleration(acceleration: float, ky: int) -> None:
    # The negated comparison also catches NaN.
    if not 1 <= acceleration <= ky:
        raise InputError(
            f"acceleration R = {acceleration:g} is not possible (expected 1 to {ky}, the size of ky)",
            "4, 8 or 12 are usual.",
        )


def _check_acs(spec: MaskSpec, acs: int, ky: int, kx: int) -> None:
    if not 0 <= acs <= ky:
        raise InputError(f"{acs} ACS lines do not fit (expected 0 to {ky}, the size of ky)", "Choose fewer ACS lines.")
    if not spec.cartesian_1d and acs > kx:
        raise InputError(f"an ACS square of {acs} does not fit (expected 0 to {kx}, the size of kx)", "Choose a smaller ACS.")


def _options(spec: MaskSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    known = {option.name: option for option in spec.options}
    for name in given:
        if name not in known:
            raise InputError(
                f"pattern {spec.name} has no option {name!r} (expected {', '.join(known) or 'none'})",
                "`myoscope masks` lists each pattern's options.",
            )
    return {name: _option_value(option, given.get(name, option.default)) for name, option in known.items()}


def _option_value(option: Option, value: Any) -> Any:
    """Return ``value`` in the type of the option's default; raise ``InputError`` when it cannot be, or is out of range."""
    low = -math.inf if option.minimum is None else option.minimum
    high = math.inf if option.maximum is None else option.maximum
    whole = isinstance(option.default, int)
    expected = f"expected a{'n integer' if whole else ' number'} from {low:g} to {high:g}"
    hint = f"{option.name}: {option.help}."
    if isinstance(option.default, bool) and isinstance(value, bool):
        return value
    if isinstance(option.default, bool):
        raise InputError(f"option {option.name} = {value!r} is not possible (expected true or false)", hint)
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"option {option.name} = {value!r} is not possible ({expected})", hint) from error
    if not math.isfinite(number) or not low <= number <= high or (whole and number != int(number)):
        raise InputError(f"option {option.name} = {value!r} is not possible ({expected})", hint)
    return int(number) if whole else number
