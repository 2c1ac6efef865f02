"""Orthonormal Daubechies wavelets along the two image axes, periodic, for any matrix size and any random shift.

Real arithmetic on whole slabs: a step along x is a few sums of half-size slabs, contiguous in memory, and the values that
ride along (frames, real and imaginary parts) are the innermost axis, so every sum is a vector operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import comb, sqrt
from types import EllipsisType

import numpy as np
import torch
from torch import Tensor

from engine.core.errors import InputError, ShapeError

MAX_ORDER = 10
ROWS, COLUMNS = -3, -2


@cache
def daubechies(order: int) -> tuple[float, ...]:
    """Return the scaling filter with ``order`` vanishing moments: ``2 * order`` taps whose squares sum to 1.

    The filter is the minimum-phase spectral factor of the maximally flat half-band polynomial
    ``((1 + cos w) / 2)^p sum_k C(p - 1 + k, k) y^k`` with ``y = (1 - cos w) / 2``. Order 1 is Haar's.

    Source: Daubechies, Comm. Pure Appl. Math. 41 (1988), 909, section 4.

    Raises
    ------
    InputError
        When the order is not 1 to 10.
    """
    if not 1 <= order <= MAX_ORDER:
        raise InputError(
            f"there is no Daubechies wavelet of order {order} here (expected 1 to {MAX_ORDER})", "Use 2 (four taps) or 1 (Haar)."
        )
    roots = []
    # numpy.roots wants the highest power first.
    for y in np.roots([comb(order - 1 + k, k) for k in reversed(range(order))]):
        # y = (2 - z - 1/z) / 4 has two solutions z and 1/z: the one inside the unit circle makes the filter minimum-phase.
        half = 1.0 - 2.0 * complex(y)
        offset = np.sqrt(half * half - 1.0)
        roots.append(min((half + offset, half - offset), key=abs))
    taps = np.real(np.poly(roots)) if roots else np.ones(1)
    for _ in range(order):
        taps = np.convolve(taps, [1.0, 1.0])
    taps = taps * (sqrt(2.0) / taps.sum())
    return tuple(float(tap) for tap in taps)


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """Wavelet coefficients: for each level the three detail bands, finest first, and what is left at the coarsest."""

    details: tuple[tuple[Tensor, ...], ...]
    coarse: Tensor
    shift: tuple[int, int]

    def bands(self) -> Iterator[tuple[int, Tensor]]:
        """Yield (level, detail band); level 0 is the finest."""
        for level, bands in enumerate(self.details):
            for band in bands:
                yield level, band


class WaveletTransform:
    """Separable, orthonormal, periodic wavelet transform along two axes of arrays (..., rows, columns, inner).

    The transform is an isometry for every size. Along an axis of odd length the filter bank acts on the even part as a ring of
    its own, and the odd sample passes unchanged into the coarse band. An axis that has become shorter than twice the filter is
    left alone.

    Parameters
    ----------
    shape
        Lengths of the two axes (rows, columns).
    order
        Vanishing moments of the Daubechies wavelet; 1 is Haar's.
    levels
        Most levels to take.

    Raises
    ------
    InputError
        For an order or a number of levels that does not exist.
    """

    def __init__(self, shape: tuple[int, int], order: int = 2, levels: int = 4) -> None:
        if levels < 0:
            raise InputError(f"a wavelet transform cannot have {levels} levels (expected 0 or more)", "Use 4.")
        low = daubechies(order)
        self._low = low
        self._high = tuple((-1) ** k * tap for k, tap in enumerate(reversed(low)))
        self.shape = shape
        self.splits: list[tuple[bool, bool]] = []  # per level: is the axis (rows, columns) split?
        sizes = list(shape)
        for _ in range(levels):
            split = (sizes[0] >= 2 * len(low), sizes[1] >= 2 * len(low))
            if not any(split):
                break
            self.splits.append(split)
            sizes = [n - n // 2 if s else n for n, s in zip(sizes, split, strict=True)]

    @property
    def levels(self) -> int:
        """Number of levels that this matrix size allows, at most what was asked for."""
        return len(self.splits)

    def forward(self, values: Tensor, shift: tuple[int, int] = (0, 0)) -> Coefficients:
        """Return the coefficients of real ``values`` (..., rows, columns, inner), circularly shifted by ``shift``; no views.

        The transform of a shifted image costs nothing: bit ``l`` of the shift decides at level ``l`` on which sample the
        pairs begin, and shifts by multiples of ``2^levels`` change nothing.

        Raises
        ------
        ShapeError
            When the values have other axes or are not real.
        """
        if values.ndim < 3 or tuple(values.shape[ROWS : COLUMNS + 1]) != tuple(self.shape) or values.is_complex():
            raise ShapeError(
                f"values do not fit the wavelet transform (expected real (..., {self.shape[0]}, {self.shape[1]}, inner) / "
                f"found {tuple(values.shape)} {values.dtype})",
                "View complex images as real ones first; the last axis may hold real and imaginary parts.",
            )
        details = []
        coarse = values if self.splits else values.clone()  # coefficients are changed in place; what they came from is not
        for level, (split_rows, split_columns) in enumerate(self.splits):
            begins = ((shift[0] >> level) & 1, (shift[1] >> level) & 1)
            bands: tuple[Tensor, ...] = self._analyse(coarse, ROWS, begins[0]) if split_rows else (coarse,)
            if split_columns:
                bands = tuple(band for one in bands for band in self._analyse(one, COLUMNS, begins[1]))
            coarse = bands[0]
            details.append(bands[1:])
        return Coefficients(tuple(details), coarse, shift)

    def inverse(self, coefficients: Coefficients) -> Tensor:
        """Return the values (..., rows, columns, inner) of coefficients: the adjoint and inverse of :meth:`forward`."""
        values = coefficients.coarse
        sizes = self._sizes()
        for level in reversed(range(self.levels)):
            split_rows, split_columns = self.splits[level]
            begins = ((coefficients.shift[0] >> level) & 1, (coefficients.shift[1] >> level) & 1)
            bands = [values, *coefficients.details[level]]
            if split_columns:
                pairs = zip(bands[::2], bands[1::2], strict=True)
                bands = [self._synthesise(low, high, COLUMNS, begins[1], sizes[level][1]) for low, high in pairs]
            values = self._synthesise(bands[0], bands[1], ROWS, begins[0], sizes[level][0]) if split_rows else bands[0]
        return values

    def _sizes(self) -> list[tuple[int, int]]:
        """Return the sizes (rows, columns) that each level starts from."""
        sizes = [self.shape]
        for split in self.splits:
            rows, columns = sizes[-1]
            sizes.append((rows - rows // 2 if split[0] else rows, columns - columns // 2 if split[1] else columns))
        return sizes

    def _analyse(self, values: Tensor, axis: int, begin: int) -> tuple[Tensor, Tensor]:
        """Return low and high band along ``axis``: ``low_i = sum_k h_k x_(2i + k + begin)`` on the ring."""
        ring, first = _ring(values, axis, begin)
        half = ring.shape[axis] // 2
        odd = values.shape[axis] % 2
        shape = list(values.shape)
        shape[axis] = half + odd
        low = values.new_empty(shape)
        shape[axis] = half
        high = values.new_empty(shape)
        kept = low.narrow(axis, odd * begin, half)
        for k, (h, g) in enumerate(zip(self._low, self._high, strict=True)):
            for source, target in _strides(ring.shape[axis], first + k):
                taken = ring[_index(axis, source)]
                _accumulate(kept[_index(axis, target)], taken, h, k == 0)
                _accumulate(high[_index(axis, target)], taken, g, k == 0)
        if odd:
            at = 0 if begin else half
            low.select(axis, at).copy_(values.select(axis, 0 if begin else 2 * half))
        return low, high

    def _synthesise(self, low: Tensor, high: Tensor, axis: int, begin: int, size: int) -> Tensor:
        """Return the values along ``axis`` from low and high band: the transpose of :meth:`_analyse`."""
        half = high.shape[axis]
        odd = size % 2
        shape = list(high.shape)
        shape[axis] = size
        values = high.new_empty(shape)
        ring, first = _ring(values, axis, begin)
        kept = low.narrow(axis, odd * begin, half)
        for k, (h, g) in enumerate(zip(self._low, self._high, strict=True)):
            # Taps 0 and 1 reach every sample of the ring once: they write, later ones add.
            for target, source in _strides(ring.shape[axis], first + k):
                place = ring[_index(axis, target)]
                _accumulate(place, kept[_index(axis, source)], h, k < 2)
                _accumulate(place, high[_index(axis, source)], g, False)
        if odd:
            values.select(axis, 0 if begin else 2 * half).copy_(low.select(axis, 0 if begin else half))
        return values


def shrink(coefficients: Tensor, threshold: float | Tensor) -> None:
    """Lower the magnitudes of complex ``coefficients`` by ``threshold`` and cut them at zero, in place; phases stay.

    A threshold tensor must broadcast to the coefficients and not be negative.

    Source: soft thresholding, Donoho, IEEE Trans. Inf. Theory 41 (1995), 613; of complex numbers: Lustig et al., MRM 2007.
    """
    if isinstance(threshold, float) and threshold <= 0.0:
        return
    # A third of the time of abs(): hypot guards against overflow that scaled data cannot have.
    gain = coefficients.real.square()
    gain.addcmul_(coefficients.imag, coefficients.imag)
    if isinstance(threshold, Tensor):
        # The smallest normal number keeps 0 / 0 away where the threshold is zero.
        gain.clamp_(min=torch.finfo(gain.dtype).tiny)
        gain = gain.rsqrt_().mul_(-threshold).add_(1.0).clamp_(min=0.0)
    else:
        gain.clamp_(min=max(threshold * threshold, torch.finfo(gain.dtype).tiny)).rsqrt_().mul_(-threshold).add_(1.0).clamp_(
            min=0.0
        )
    coefficients.mul_(gain)


def _accumulate(target: Tensor, source: Tensor, factor: float, first: bool) -> None:
    """Write (``first``) or add ``factor * source`` into ``target``."""
    if first:
        torch.mul(source, factor, out=target)
    else:
        target.add_(source, alpha=factor)


def _ring(values: Tensor, axis: int, begin: int) -> tuple[Tensor, int]:
    """Return the even-sized ring that is filtered, and the sample on it where the first pair begins."""
    size = values.shape[axis]
    if size % 2:
        return values.narrow(axis, begin, size - 1), 0
    return values, begin


def _strides(size: int, start: int) -> Iterator[tuple[slice, slice]]:
    """Yield (slice of every second sample on the ring from ``start``, slice of the band it pairs with): one or two pieces."""
    start %= size
    until_end = (size - start + 1) // 2
    yield slice(start, None, 2), slice(0, until_end)
    if until_end < size // 2:
        yield slice(start % 2, start, 2), slice(until_end, None)


def _index(axis: int, part: slice) -> tuple[EllipsisType | slice, ...]:
    """Return the index that takes ``part`` along a negative ``axis``."""
    return (..., part, *([slice(None)] * (-axis - 1)))
