"""GRAPPA kernels for any pattern of whole lines: which lines a missing one is made from, and with what weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Gap:
    """All places where lines are missing between sources that lie alike.

    Parameters
    ----------
    sources
        Offsets of the source lines, relative to the first one: ``(0, 4)`` is a gap of three lines.
    targets
        Offsets of the missing lines, relative to the first source line (negative: beyond the edge of what was measured).
    first
        First source line of each place.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    first: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, int]:
        """Smallest and largest offset among sources and targets."""
        return min(*self.sources, *self.targets), max(*self.sources, *self.targets)

    @property
    def span(self) -> int:
        """Number of adjacent lines that must be known to calibrate it."""
        low, high = self.extent
        return high - low + 1


def find_gaps(measured: Sequence[bool], lines: int, acs: int) -> list[Gap]:
    """Return the gaps of a pattern, grouped by geometry.

    Each missing line is made from the ``lines`` nearest measured ones, half of them on either side; near the edge of k-space,
    where one side is empty, from those of the other side. Where the geometry does not fit into the ACS, fewer lines serve.

    Parameters
    ----------
    measured
        For each ky line whether it was measured.
    lines
        Source lines of a kernel (2 for a 2 x 5 kernel).
    acs
        Number of adjacent lines to calibrate on.

    Raises
    ------
    InputError
        When a gap is wider than the ACS.
    """
    known = [index for index, here in enumerate(measured) if here]
    groups: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    start = 0
    while start < len(measured):
        if measured[start]:
            start += 1
            continue
        stop = start
        while stop < len(measured) and not measured[stop]:
            stop += 1
        for sources, targets in _sources(known, start, stop, lines, acs):
            first = sources[0]
            key = (tuple(s - first for s in sources), tuple(t - first for t in targets))
            groups.setdefault(key, []).append(first)
        start = stop
    return [Gap(sources, targets, tuple(first)) for (sources, targets), first in groups.items()]


def _sources(known: Sequence[int], start: int, stop: int, lines: int, acs: int) -> list[tuple[list[int], list[int]]]:
    """Return (source lines, target lines) for the missing lines ``start`` to ``stop - 1``."""
    below = [k for k in known if k < start]
    above = [k for k in known if k >= stop]
    left = list(range(start, stop))
    found = []
    for count in range(min(lines, len(known)), 0, -1):
        high = min(len(above), max(count // 2, count - len(below)))
        sources = below[len(below) - (count - high) :] + above[:high] if count > high else above[:high]
        near = [t for t in left if max(sources[-1], t) - min(sources[0], t) < acs]
        # Between two sides a gap is filled as one; beyond the edge of what was measured the farther lines take fewer sources.
        if near == left or not (below and above):
            if near:
                found.append((sources, near))
            left = [t for t in left if t not in near]
        if not left:
            return found
    raise InputError(
        f"GRAPPA cannot fill {stop - start} missing lines in a row from {acs} ACS lines (expected at least {stop - start + 2})",
        "Choose more ACS lines or a lower acceleration.",
    )


def calibrate(acs: Tensor, gap: Gap, kernel_kx: int, weight: float) -> Tensor:
    """Return kernels, complex (target coil, source coil, kx tap), by regularised least squares over the ACS of all frames.

    ``min_w ||A w - b||^2 + weight * ||A^H A|| / n * ||w||^2`` over all places where the geometry fits into the ACS, with the
    Frobenius norm and n unknowns per target.

    The equations of all kx positions are never written down: by Parseval's theorem the entry of ``A^H A`` for taps d and d' is
    the Fourier coefficient ``d - d'`` of the products of two lines in hybrid space.

    Source: Griswold et al., MRM 47 (2002), 1202; regularisation after Qu et al., MRM 54 (2005), 1553.

    *Deviation*: kx is taken as periodic, so the few equations that straddle the ends of the readout are kept.

    Parameters
    ----------
    acs
        Calibration lines in hybrid space, complex (x, coil, frame, ky). Rows of the result are ordered (target, coil), columns
        (source, coil).
    """
    width, coils, _, height = acs.shape
    low, high = gap.extent
    places = height - (high - low)

    def lines(offsets: tuple[int, ...]) -> Tensor:
        parts = [acs[..., o - low : o - low + places] for o in offsets]
        return torch.stack(parts, dim=1).reshape(width, len(offsets) * coils, -1)  # (x, line coil, equation)

    sources = lines(gap.sources)
    conjugate = sources.conj()
    half = kernel_kx // 2
    taps = torch.arange(-half, half + 1, device=acs.device)
    lags = torch.arange(-2 * half, 2 * half + 1, device=acs.device)
    products = readout_waves(lags, width) @ (conjugate @ sources.mT).to(torch.complex128).flatten(1)
    unknowns = sources.shape[1]
    products = products.reshape(len(lags), unknowns, unknowns)[taps[:, None] - taps + 2 * half]  # (d, d', i, j)
    normal = products.permute(2, 0, 3, 1).reshape(unknowns * len(taps), -1)
    right = readout_waves(taps, width) @ (conjugate @ lines(gap.targets).mT).to(torch.complex128).flatten(1)
    right = right.reshape(len(taps), unknowns, -1).transpose(0, 1).reshape(unknowns * len(taps), -1)
    normal = normal + torch.eye(normal.shape[0], dtype=normal.dtype, device=normal.device) * (
        weight * torch.linalg.matrix_norm(normal) / normal.shape[0]
    )
    solved = torch.cholesky_solve(right, torch.linalg.cholesky(normal))
    return solved.mT.reshape(-1, unknowns, len(taps)).to(acs.dtype)


def hybrid_kernels(kernels: Tensor, width: int) -> Tensor:
    """Return kernels over the readout position, complex (x, target coil, source coil): convolution along kx is a product there.

    With the centred transform a source sample at ``kx + d`` is the hybrid-space value times ``exp(-2 pi i d (x - c) / width)``.
    """
    half = kernels.shape[-1] // 2
    taps = torch.arange(-half, half + 1, device=kernels.device)
    waves = readout_waves(taps, width).conj().to(kernels.dtype)  # (tap, x)
    return (kernels.flatten(0, -2) @ waves).mT.reshape(width, *kernels.shape[:-1])


def readout_waves(lags: Tensor, width: int) -> Tensor:
    """Return ``exp(2 pi i lag (x - c) / width)``, complex128 (lag, x), with c the centre of the readout."""
    x = torch.arange(width, device=lags.device, dtype=torch.float64) - width // 2
    angles = (2.0 * torch.pi / width) * lags.to(x.dtype)[:, None] * x
    return torch.polar(torch.ones_like(angles), angles)
