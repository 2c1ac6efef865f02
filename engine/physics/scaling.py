"""One number per series (or slice) by which k-space is divided before a method sees it, and its exact inverse.

Networks are trained on one scale and classical methods have thresholds on one scale; scanners deliver any. The number is
kept with the result, so images return on the data's own scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, isfinite

import torch
from torch import Tensor

from engine.core.axes import COIL
from engine.core.errors import InputError, ShapeError, UnknownNameError
from engine.physics.coils import rss

PERCENTILE = 99.0
_SMALLEST = 1e-37  # below it single precision has no digits left, and no inverse


@dataclass(frozen=True, slots=True)
class Scale:
    """What k-space was divided by. ``normalise`` and ``restore`` undo each other (to the last bit's rounding).

    Parameters
    ----------
    rule
        Name of the rule that gave the factor.
    factor
        Positive and finite.
    """

    rule: str
    factor: float

    def __post_init__(self) -> None:
        if not (isfinite(self.factor) and self.factor > 0):
            raise InputError(f"a scale must be positive and finite (found {self.factor})", "Check the data for zeros and NaN.")

    def normalise(self, data: Tensor) -> Tensor:
        """Return ``data / factor``; for k-space, images and references alike."""
        return data / self.factor

    def restore(self, data: Tensor) -> Tensor:
        """Return ``data * factor``: back on the data's own scale."""
        return data * self.factor


def find_scale(kspace: Tensor, mask: Tensor | None, rule: str) -> Scale:
    """Return the :class:`Scale` of :func:`scale_of`."""
    return Scale(rule, scale_of(kspace, mask, rule))


def scale_of(kspace: Tensor, mask: Tensor | None, rule: str) -> float:
    """Return the number by which ``kspace`` is to be divided.

    Parameters
    ----------
    kspace
        Complex (..., coil, ky, kx): a series, a slice or a frame; the number is common to all of it.
    mask
        (..., 1, ky, kx or 1), or without the coil axis; samples outside do not count. None when all of it was measured.
    rule
        ``zero_filled_p99``: 99th percentile of the zero-filled root-sum-of-squares image; ``image_max``: its largest value;
        ``kspace_max``, ``kspace_p99``: of the magnitude of the measured samples; ``kspace_p99_all``: 99th percentile of the
        magnitude of all samples, those that were not measured as zeros (DIRECT); ``none``: 1.

    Raises
    ------
    UnknownNameError
        For another rule.
    InputError
        When nothing but zeros was measured, or something that is not a finite number.
    ShapeError
        When the mask does not fit.
    """
    if rule not in RULES:
        raise UnknownNameError(f"unknown scaling rule {rule!r} (expected one of {', '.join(RULES)})", "Use zero_filled_p99.")
    if rule == "none":
        return 1.0
    mask = None if mask is None else _aligned(mask, kspace)
    low, high = torch.aminmax(torch.view_as_real(kspace.detach().resolve_conj()))
    peak = max(-float(low), float(high))
    if not isfinite(peak):
        raise InputError("k-space holds a value that is not a finite number", "Check the export that wrote this file.")
    value = RULES[rule](_Samples(kspace.detach(), mask, peak)) * peak if peak > _SMALLEST else 0.0
    if not value > 0:
        raise InputError(
            "k-space holds nothing but zeros where it was measured (expected a signal)", "Check the file, the slice and the mask."
        )
    return value


def _aligned(mask: Tensor, kspace: Tensor) -> Tensor:
    """Return the mask with one axis for each of k-space's, the coil axis of length 1."""
    full = mask.unsqueeze(COIL) if mask.ndim == kspace.ndim - 1 else mask
    fits = full.ndim == kspace.ndim and all(m in (1, k) for m, k in zip(full.shape, kspace.shape, strict=True))
    if not fits or full.shape[COIL] != 1:
        raise ShapeError(
            f"mask does not fit k-space (expected {tuple(kspace.shape)} without its coils / found {tuple(mask.shape)})",
            "Use the mask of this series.",
        )
    return full


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """The measured samples, divided by their peak: squares of 1e-30 would vanish in single precision."""

    kspace: Tensor
    mask: Tensor | None
    peak: float

    def frames(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield complex (coil, ky, kx), zero where not measured, with the mask (1, ky, kx or 1): one by one, for low memory."""
        masks = None
        if self.mask is not None:
            lead = self.kspace.shape[:COIL]
            masks = self.mask.expand(*lead, *self.mask.shape[COIL:]).reshape(-1, *self.mask.shape[COIL:])
        for number, frame in enumerate(self.kspace.reshape(-1, *self.kspace.shape[COIL:])):
            if masks is None:
                yield frame * (1 / self.peak), None
            else:
                yield frame * (masks[number] * (1 / self.peak)), masks[number]

    def zero_filled(self) -> Tensor:
        """Return the zero-filled root-sum-of-squares images, real (frames, y, x).

        Their pixels are in the order of the plain transform: neither percentile nor maximum asks where a pixel is.
        """
        return torch.stack([rss(torch.fft.ifft2(frame, norm="ortho")) for frame, _ in self.frames()])

    def magnitudes(self) -> Tensor:
        """Return the magnitudes of the measured samples, real, flat."""
        return torch.cat([(f if m is None else f[m.to(torch.bool).expand(f.shape)]).abs().flatten() for f, m in self.frames()])


def _percentile(values: Tensor, zeros: int = 0) -> float:
    """Return the 99th percentile of the values and as many zeros by the nearest rank.

    (torch.quantile refuses more than 16 million values.)
    """
    flat = values.flatten()
    total = flat.numel() + zeros
    rank = min(total, max(1, ceil(PERCENTILE / 100.0 * total))) - zeros
    return float(flat.kthvalue(rank).values) if 1 <= rank <= flat.numel() else 0.0


RULES: Mapping[str, Callable[[_Samples], float]] = {
    "zero_filled_p99": lambda samples: _percentile(samples.zero_filled()),
    "kspace_max": lambda samples: max(float(frame.abs().amax()) for frame, _ in samples.frames()),
    "image_max": lambda samples: float(samples.zero_filled().amax()),
    "kspace_p99": lambda samples: _percentile(samples.magnitudes()),
    "kspace_p99_all": lambda samples: _percentile(measured := samples.magnitudes(), samples.kspace.numel() - measured.numel()),
    "none": lambda _: 1.0,
}
