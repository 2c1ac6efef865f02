"""What a phantom can be asked to be."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from engine.core.errors import InputError
from engine.core.requests import PhantomSettings
from engine.core.types import Kind
from engine.phantom.coils import MAX_COILS
from engine.phantom.encode import check_noise
from engine.phantom.scheme import parse_scheme
from engine.phantom.sequences import ORDERINGS
from engine.phantom.tissues import FIELD_RANGE_T

KINDS = (Kind.CINE, Kind.MOLLI, Kind.T2PREP)
DEFAULT_CINE_FRAMES = 12
DEFAULT_CINE_DRIFT_MM = 1.5
MATRIX_RANGE = (16, 1024)
MAX_VALUES = 1 << 28  # 2 GiB of complex64: all images, all coil maps, or the k-space of one slice
RR_RANGE_MS = (400.0, 2000.0)
LEAST_MOLLI_IMAGES = 3  # A, B and T1*


@dataclass(frozen=True, slots=True)
class PhantomRequest(PhantomSettings):
    """Settings that fit together.

    Raises
    ------
    InputError
        A value is out of its range or contradicts another.
    """

    def __post_init__(self) -> None:
        if self.kind not in [kind.value for kind in KINDS]:
            raise InputError(
                f"unknown phantom {self.kind!r} (expected cine, molli or t2prep)", "Use for example `myoscope phantom cine`."
            )
        low, high = MATRIX_RANGE
        if len(self.matrix) != 2 or not all(low <= n <= high for n in self.matrix):
            raise InputError(
                f"the matrix cannot be used (expected ky x kx, each {low} to {high} / found {'x'.join(map(str, self.matrix))})",
                "Use for example --matrix 192x160.",
            )
        _between("number of coils", self.coils, 1, MAX_COILS, "--coils 10")
        _between("number of slices", self.slices, 1, 64, "--slices 1")
        _between("field strength", self.field_t, *FIELD_RANGE_T, "--field 3.0")
        _between("RR interval in ms", self.rr_ms, *RR_RANGE_MS, "--rr-ms 900")
        check_noise(self.snr, self.seed)
        if self.motion_mm is not None:
            _between("motion in mm", self.motion_mm, 0.0, 30.0, "a motion of 1.5")
        if self.ordering not in ORDERINGS:
            raise InputError(f"unknown ordering {self.ordering!r} (expected {' or '.join(ORDERINGS)})", "Use linear.")
        if self.analytic and self.ordering != ORDERINGS[0]:
            raise InputError(
                f"the signal equations know no order of lines (expected linear / found {self.ordering})",
                "Leave --ordering out, or leave --analytic out: the Bloch simulation plays it.",
            )
        for side in self.fov_mm or ():
            _between("field of view in mm", side, 100.0, 1000.0, "a field of view of 340 mm")
        self._check_frames()
        self._check_size()

    def _check_size(self) -> None:
        ky, kx = self.matrix
        largest = max(self.slices * self.frame_count, self.slices * self.coils, self.frame_count * self.coils) * ky * kx
        if largest > MAX_VALUES:
            raise InputError(
                f"the phantom is too large (expected at most {MAX_VALUES / 1e6:.0f} million complex values in one array / found "
                f"{largest / 1e6:.0f} million)",
                "Ask for fewer slices, frames or coils, or a smaller matrix.",
            )

    def _check_frames(self) -> None:
        if self.kind == Kind.CINE:
            if self.frames is not None:
                _between("number of frames", self.frames, 1, 256, "--frames 12")
            return
        if self.kind == Kind.T2PREP:
            echoes = self.echo_times_ms
            if len(echoes) < 2 or len(set(echoes)) < len(echoes) or not all(0.0 <= t <= 200.0 for t in echoes):
                raise InputError(
                    f"the echo times cannot be used (expected at least two different ones, 0 to 200 ms / found "
                    f"{', '.join(f'{t:g}' for t in echoes) or 'none'})",
                    "Use for example 0, 35 and 55 ms.",
                )
        count = self.frame_count
        if self.kind == Kind.MOLLI and count < LEAST_MOLLI_IMAGES:
            raise InputError(
                f"the scheme {self.scheme} has too few images (expected at least {LEAST_MOLLI_IMAGES}: a MOLLI fit has as many "
                f"unknowns / found {count})",
                "Use for example --scheme '5(3)3' or '4(1)3(1)2'.",
            )
        if self.frames is not None and self.frames != count:
            source = f"scheme {self.scheme} has" if self.kind == Kind.MOLLI else f"{count} echo times make"
            raise InputError(
                f"the number of frames does not fit (expected {count}, the {source} {count} images / found {self.frames})",
                "Leave --frames out: it belongs to cine.",
            )

    @property
    def frame_count(self) -> int:
        """Number of frames the series will have."""
        if self.kind == Kind.MOLLI:
            return parse_scheme(self.scheme).count
        if self.kind == Kind.T2PREP:
            return len(self.echo_times_ms)
        return DEFAULT_CINE_FRAMES if self.frames is None else self.frames

    @property
    def drift_mm(self) -> float:
        """Largest drift in mm, the default of the kind filled in."""
        if self.motion_mm is not None:
            return self.motion_mm
        return DEFAULT_CINE_DRIFT_MM if self.kind == Kind.CINE else 0.0

    def times_ms(self) -> tuple[float, ...]:
        """Return times since the R wave (cine), inversion times or preparation times, in the order of acquisition."""
        if self.kind == Kind.MOLLI:
            return parse_scheme(self.scheme).times_ms(self.rr_ms)
        if self.kind == Kind.T2PREP:
            return tuple(float(t) for t in self.echo_times_ms)
        n = self.frame_count
        return tuple(self.rr_ms * k / n for k in range(n))

    def as_attributes(self) -> dict[str, Any]:
        """Return the request as plain JSON values; what the kind does not use is left out."""
        values = asdict(self)
        for name in {"scheme": Kind.MOLLI, "echo_times_ms": Kind.T2PREP}.items():
            if self.kind != name[1]:
                del values[name[0]]
        if self.kind == Kind.CINE:
            del values["ordering"]
        values["kind"] = str(self.kind)
        values["frames"], values["motion_mm"] = self.frame_count, self.drift_mm
        values["snr"] = self.snr if math.isfinite(self.snr) else "inf"
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _between(what: str, value: float, low: float, high: float, example: str) -> None:
    if not low <= value <= high:
        raise InputError(
            f"the {what} cannot be used (expected {low:g} to {high:g} / found {value:g})", f"Use for example {example}."
        )
