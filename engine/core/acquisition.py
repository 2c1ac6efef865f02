"""What was measured of k-space: a record of its own, apart from what a person leaves out of it to try a method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.core import axes
from engine.core.arrays import Bool, Complex, frozen
from engine.core.errors import InputError, ShapeError


class Evidence(StrEnum):
    """What a statement on the sampling stands on; the value is the word a person sees."""

    NOTHING = "nothing"
    PART = "a part of the data"
    WHOLE = "all of the data"
    TOLD = "the file"  # a header, a mask beside the data, a name of the layout


@dataclass(frozen=True, slots=True, eq=False)
class SamplingMask:
    """Which k-space samples are (or would be) measured.

    Parameters
    ----------
    lines
        bool (frame or 1, ky, kx or 1). A length-1 kx axis means the readout is full wherever a line is measured.
    pattern
        Name of the pattern in the mask registry, or ``"file"``, or ``"acquired"`` (found in the data).
    nominal_acceleration
        What the user asked for or the protocol says; the ACS lines are not counted. None when unknown.
    acs
        First and one-past-last ky line of the fully sampled centre, or None.
    seed
        Seed of the pattern, None when it has none.
    """

    lines: Bool
    pattern: str
    nominal_acceleration: float | None = None
    acs: tuple[int, int] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        axes.check_axes(self.lines, axes.MASK_AXES, "mask")
        object.__setattr__(self, "lines", frozen(self.lines, np.bool_))
        if not self.lines.any():
            raise InputError(
                "the mask measures nothing (expected at least one sampled line / found none)", "Choose a lower acceleration."
            )

    @property
    def effective_acceleration(self) -> float:
        """Samples of full k-space divided by measured samples, ACS counted."""
        return float(self.lines.size / np.count_nonzero(self.lines))

    @property
    def is_cartesian_1d(self) -> bool:
        """Whether every measured line has its full readout."""
        return bool(self.lines.shape[-1] == 1 or (self.lines == self.lines[..., :1]).all())

    @property
    def is_static(self) -> bool:
        """Whether all frames share one mask."""
        return bool(self.lines.shape[0] == 1 or (self.lines == self.lines[:1]).all())

    def check_fits(self, shape: tuple[int, ...]) -> None:
        """Raise ``ShapeError`` unless the mask can be applied to k-space of ``shape`` (..., frame, coil, ky, kx)."""
        frames, ky, kx = shape[-4], shape[-2], shape[-1]
        f, y, x = self.lines.shape
        if f not in (1, frames) or y != ky or x not in (1, kx):
            raise ShapeError(
                f"the mask does not fit the data (expected frame {frames} or 1, ky {ky}, kx {kx} or 1 / "
                f"found {axes.describe(self.lines.shape, axes.MASK_AXES)})",
                "Make the mask for this matrix size, or choose a pattern instead of a file.",
            )


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the stored matrix that was acquired at all: first and one-past-last index along ky and kx.

    Outside it are zeros that nobody measured: padding, partial Fourier (ky), asymmetric echo (kx).
    """

    ky: tuple[int, int]
    kx: tuple[int, int]

    def __post_init__(self) -> None:
        for name, (first, stop) in (("ky", self.ky), ("kx", self.kx)):
            if not 0 <= first < stop:
                raise InputError(
                    f"the acquired window of {name} cannot be {first}..{stop} (expected first before last, from 0)",
                    "Correct the file, or leave the window out.",
                )

    def covers(self, ky: int, kx: int) -> bool:
        """Whether the whole matrix was acquired."""
        return self.ky == (0, ky) and self.kx == (0, kx)


@dataclass(frozen=True, slots=True, eq=False)
class Acquisition:
    """What was measured; each part may be unknown, the default is all of it.

    Parameters
    ----------
    masks
        Empty when everything inside the window was measured (or nothing is known); one mask for all slices; or one for each slice.
        Together they hold (slice, frame, ky, kx).
    evidence
        What this stands on. Data are never *known* to be fully sampled from a part of them.
    window
        Acquired part of the stored matrix, None when unknown.
    centre
        Index (ky, kx) of the centre of k-space in the stored matrix, None when unknown.
    oversampling
        Factors (ky, kx) by which the stored field of view exceeds the wanted one, None when unknown.
    noise
        Covariance of the coils' noise, complex64 (coil, coil), in units of k-space; None when it was not measured.
    """

    masks: tuple[SamplingMask, ...] = ()
    evidence: Evidence = Evidence.NOTHING
    window: Window | None = None
    centre: tuple[float, float] | None = None
    oversampling: tuple[float, float] | None = None
    noise: Complex | None = None

    def __post_init__(self) -> None:
        if self.noise is not None:
            object.__setattr__(self, "noise", _checked_noise(self.noise))
        if self.oversampling is not None and not all(np.isfinite(v) and v > 0 for v in self.oversampling):
            raise InputError(f"the oversampling cannot be {self.oversampling} (expected positive factors ky, kx)", "Leave it out.")

    @property
    def fully_sampled(self) -> bool:
        """Whether nothing inside the window is known to be missing; :attr:`certain` says whether that was looked at."""
        return not self.masks

    @property
    def certain(self) -> bool:
        """Whether the sampling is known of all data, not concluded from a part."""
        return self.evidence in (Evidence.WHOLE, Evidence.TOLD)

    @property
    def varies_by_slice(self) -> bool:
        """Whether slices were sampled differently."""
        return len(self.masks) > 1 and any(not _alike(mask, self.masks[0]) for mask in self.masks[1:])

    def mask(self, slices: Sequence[int] | None = None) -> SamplingMask | None:
        """Return the mask that ``slices`` (None: all) were measured with, None when they are fully sampled.

        Raises
        ------
        InputError
            They were sampled differently: there is no one mask.
        """
        if len(self.masks) < 2:
            return self.masks[0] if self.masks else None
        chosen = [self.masks[index] for index in (range(len(self.masks)) if slices is None else slices)]
        if any(not _alike(mask, chosen[0]) for mask in chosen[1:]):
            raise InputError(
                "these slices were sampled with different masks (expected one for all)",
                "Take one slice at a time: --slices 0.",
            )
        return chosen[0]

    @property
    def effective_acceleration(self) -> float:
        """Samples inside the acquired window divided by measured samples, ACS counted, over all slices."""
        measured = 0.0
        for mask in self.masks:
            lines = mask.lines
            if self.window is not None:
                lines = lines[:, slice(*self.window.ky)]
                lines = lines if lines.shape[-1] == 1 else lines[..., slice(*self.window.kx)]
            # Masks of one frame or one column stand for all: each slice counts alike.
            measured += float(np.count_nonzero(lines) / lines.size)
        return len(self.masks) / measured if measured > 0 else 1.0

    @property
    def nominal_acceleration(self) -> float | None:
        """Nominal R, None when it is unknown or differs between slices."""
        found = {mask.nominal_acceleration for mask in self.masks}
        return found.pop() if len(found) == 1 else None

    def check_fits(self, shape: tuple[int, ...]) -> None:
        """Raise ``ShapeError`` unless all of it can be of k-space of ``shape`` (slice, frame, coil, ky, kx)."""
        slices, _, coils, ky, kx = shape
        if len(self.masks) not in (0, 1, slices):
            raise ShapeError(
                f"the masks do not fit the series (expected one, or one for each of {slices} slices / found {len(self.masks)})",
                "Give one mask for each slice.",
            )
        for mask in self.masks:
            mask.check_fits(shape)
        if self.window is not None and (self.window.ky[1] > ky or self.window.kx[1] > kx):
            raise ShapeError(
                f"the acquired window does not fit (expected inside ky {ky}, kx {kx} / found {self.window.ky}, {self.window.kx})",
                "Correct the file, or leave the window out.",
            )
        if self.noise is not None and len(self.noise) != coils:
            raise ShapeError(
                f"the noise covariance does not fit (expected {coils} coils / found {len(self.noise)})", "Leave it out."
            )


NOT_LOOKED_AT: Final = Acquisition()
"""Nothing is known of the sampling."""
WHOLE: Final = Acquisition(evidence=Evidence.WHOLE)
"""Everything was measured, and that is certain: data made here."""


def _alike(one: SamplingMask, other: SamplingMask) -> bool:
    return one is other or np.array_equal(one.lines, other.lines)


def _checked_noise(noise: NDArray[Any]) -> Complex:
    made: Complex = frozen(noise, np.complex64)
    if made.ndim != 2 or made.shape[0] != made.shape[1]:
        raise ShapeError(f"the noise covariance has the wrong shape (expected coil, coil / found {made.shape})", "Leave it out.")
    scale = float(np.abs(made).max(initial=0.0))
    if not np.isfinite(made).all() or not np.allclose(made, made.conj().T, rtol=0, atol=1e-4 * scale):
        raise InputError("the noise covariance is not Hermitian and finite (expected one that is)", "Leave it out.")
    return made
