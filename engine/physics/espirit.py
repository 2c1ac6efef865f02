"""ESPIRiT's matrices as trigonometric polynomials; dominant coil vectors and their phase over the field of view.

ESPIRiT finds the coil sensitivities at r as the eigenvector (eigenvalue 1) of a coil-by-coil matrix M(r). With kernels of
``w`` x ``w`` samples, M(r) is a trigonometric polynomial of order ``w - 1``: its coefficients are the sums along the
diagonals of the projector onto the signal space of the calibration matrix, (2w - 1)^2 numbers for each pair of coils. So M can be
evaluated anywhere, and a coarse grid does: coil sensitivities are smooth. No kernel is ever transformed to full size.
"""

from __future__ import annotations

from math import log, pi

import torch
from torch import Tensor

from engine.physics.eigen import eigh

_SQUARINGS = 4  # M^16: an eigenvalue of 0.7 has fallen to 0.003, one of 0.95 stays in question and the covariance decides
# Measured over image SNR 5 to 1000 and 6 to 20 coils: the angle error is lowest between 10 and 40 times the noise, and at a fixed
# 0.02 (or BART's 0.03) of the largest singular value up to three times higher once the SNR is good.
_NOISE_FACTOR = 20.0
# Squared singular values from half the threshold to twice it count in part. Measured on three series of 10 and 16 coils at image
# SNR 30 to 300: the angle error falls by 0.1 to 4 %, and rounding no longer decides about a whole kernel.
_SOFTNESS = 2.0
_MIN_THRESHOLD = 1e-3  # below it a single-precision Gram matrix holds rounding

# Of the second set of coil maps: eigenvalues from which it is in question and certain; the share of all signal in the calibration
# data above which there is one (measured on human and porcine cines with air around 0.0000 to 0.0018, where tissue reaches the
# edges 0.0014 to 0.008, folded 0.004 to 0.02); and its amplitude, relative to the brightest place, where it begins: half that
# to twice that changes 0.1 dB.
_SECOND_FROM, _SECOND_WHOLE = 0.7, 0.95
_SECOND_SHARE = 0.003
_FAINT = 0.015


def calibration_matrix(block: Tensor, kernel: tuple[int, int]) -> Tensor:
    """Return the calibration matrix, whose columns are all windows of the block.

    Parameters
    ----------
    block
        Calibration samples, complex (component, coil, ky, kx); the windows of all components are columns.
    kernel
        Window size (ky, kx), not larger than the block.

    Returns
    -------
    Tensor
        Complex (coil * ky * kx of the kernel, component * positions).
    """
    windows = block.unfold(2, kernel[0], 1).unfold(3, kernel[1], 1)  # (component, coil, position y, position x, ky, kx)
    return windows.permute(1, 4, 5, 0, 2, 3).reshape(block.shape[1] * kernel[0] * kernel[1], -1)


def signal_projector(windows: Tensor, threshold: float | None) -> Tensor:
    """Return the projector onto the signal space, the span of what windows look like; complex (element, element).

    Directions around the threshold count in part (a ramp in the logarithm of their energy): kept whole or not at all, one that
    lies at the threshold would be decided by rounding, and images of the same file differed by up to 1 %.

    *Deviation*: Uecker et al., MRM 2014, cut at the threshold.

    Parameters
    ----------
    windows
        Of :func:`calibration_matrix`, complex (element, window).
    threshold
        Share of the largest singular value where signal begins. None: above the noise, which is told by the weaker half of
        the eigenvalues that can differ from zero.
    """
    few = windows.shape[1] < windows.shape[0]  # fewer windows than elements: the smaller eigenproblem has the same values
    values, vectors = eigh(windows.mH @ windows if few else windows @ windows.mH)
    floor = (_MIN_THRESHOLD if threshold is None else threshold) ** 2 * values[-1]
    if threshold is None:
        floor = torch.maximum(floor, _NOISE_FACTOR * values[: (len(values) + 1) // 2].mean())
    weights = (values.clamp_min(torch.finfo(values.dtype).tiny) / floor).log().div(2 * log(_SOFTNESS)).add(0.5).clamp(0.0, 1.0)
    weights[-1] = 1.0  # values ascend; pure noise still has a strongest direction
    # Strongest first, so that the QR decomposition leaves each direction its weight.
    kept = int((weights > 0).sum())
    signal = vectors[:, -kept:].flip(1)
    if few:
        signal = torch.linalg.qr(windows @ signal)[0]
    projector: Tensor = (signal * weights[-kept:].flip(0)) @ signal.mH
    return projector


def polynomial(projector: Tensor, coils: int, kernel: tuple[int, int]) -> Tensor:
    """Return the coefficients of M, complex (2 ky - 1, 2 kx - 1, coil, coil'): sums along the projector's diagonals.

    Source: Uecker et al., MRM 2014, where M is ``(1/w^2) sum_k v_k(r) v_k(r)^H`` with the kernels v_k; multiplied out here.
    """
    wy, wx = kernel
    blocks = projector.reshape(coils, wy, wx, coils, wy, wx)
    coefficients = projector.new_zeros((2 * wy - 1, 2 * wx - 1, coils, coils))
    for y in range(wy):
        for x in range(wx):
            # Lags (y - y', x - x') of window element (y, x) run backwards over y', x'.
            lags = blocks[:, y, x].flip((2, 3)).permute(2, 3, 0, 1)  # (ky', kx', coil, coil')
            coefficients[y : y + wy, x : x + wx] += lags
    return coefficients / (wy * wx)


def evaluate(coefficients: Tensor, at_y: Tensor, at_x: Tensor, shape: tuple[int, int], centre: tuple[int, int]) -> Tensor:
    """Return the trigonometric polynomial ``sum_d W[d] exp(2 pi i d . (r - c) / N)`` on a grid, complex (y, x, ...).

    Parameters
    ----------
    coefficients
        Complex (dy, dx, ...).
    at_y, at_x
        Positions in pixels, real; they need not be whole.
    shape
        Matrix size N (y, x); the origin of the image is at ``N // 2``.
    centre
        Index of the coefficient of lag 0.
    """
    dy, dx = coefficients.shape[:2]

    def phases(at: Tensor, lags: int, zero: int, size: int) -> Tensor:
        lag = torch.arange(lags, dtype=torch.float64, device=coefficients.device) - zero
        turns = (at.to(torch.float64)[:, None] - size // 2) * lag / size
        return torch.exp(2j * pi * turns).to(coefficients.dtype)

    rest = coefficients.shape[2:]
    along_y = phases(at_y, dy, centre[0], shape[0]) @ coefficients.reshape(dy, -1)  # (y, dx * ...)
    grid = phases(at_x, dx, centre[1], shape[1]) @ along_y.reshape(len(at_y), dx, -1)  # (y, x, ...)
    return grid.reshape(len(at_y), len(at_x), *rest)


def dominant(matrices: Tensor, covariance: Tensor, fallback: Tensor) -> tuple[Tensor, Tensor]:
    """Return dominant unit eigenvectors (..., coil), of any phase, and eigenvalues (...) of Hermitian semi-definite matrices.

    Where several eigenvalues are near the largest, the direction among them that holds the most signal is taken: the strongest
    one of ``P C P`` with ``P = M^16``. Calibration data cannot tell such directions apart: sensitivities that bend faster than a
    kernel sees, tissue that reaches the edge of the field of view, noise in the signal space. With the eigenvalue alone, maps
    there are chance, and the angle error of three measured series (10 and 16 coils, image SNR 30 to 300) was 1.3 to 2.9 times
    larger.

    Repeated squaring: products only, so as fast on a GPU as on a CPU. What is returned is the strongest column of
    ``(P C P)^2``; further squarings raised those errors by up to 1 %.

    Parameters
    ----------
    matrices
        M, (..., coil, coil).
    covariance
        C of the coil signals at the same places, (..., coil, coil), of any scale.
    fallback
        Unit vector (coil,) where a matrix is zero.
    """
    power = matrices
    for _ in range(_SQUARINGS):
        power = _of_trace_one(power)
        power = power @ power
    power = _of_trace_one(power)
    power = _of_trace_one(power @ _of_trace_one(covariance) @ power)
    power = power @ power
    # The column with the largest diagonal element is never orthogonal to the eigenvector.
    strongest = power.diagonal(dim1=-2, dim2=-1).real.argmax(-1)
    vectors = unit(power.gather(-1, strongest[..., None, None].expand(*power.shape[:-1], 1)).squeeze(-1), fallback)
    return vectors, _along(matrices, vectors)


def second(matrices: Tensor, covariance: Tensor, first: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return a second unit vector (y, x, coil), orthogonal to the first, and how much of it is there (y, x), 0 to 1; None: nowhere.

    It is the direction that holds the most signal among those that are orthogonal to the first and that the calibration matrix
    cannot tell from sensitivities (eigenvalues near one; Uecker et al., MRM 2014). In quiet corners that is true of many
    directions, so what counts is how much signal lies along it: where that is a small share of the brightest place it fades, and
    when it is a small share of the whole image there is no second set.

    Parameters
    ----------
    matrices, covariance
        As for :func:`dominant`, (y, x, coil, coil).
    first
        Unit vectors (y, x, coil) of the first set.
    """
    values, vectors = eigh(matrices)
    kept = ((values - _SECOND_FROM) / (_SECOND_WHOLE - _SECOND_FROM)).clamp(0.0, 1.0)
    space = (vectors * kept.unsqueeze(-2).to(vectors.dtype)) @ vectors.mH
    outside = torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device) - _projector(first)
    space = outside @ space @ outside
    found = eigh(_of_trace_one(space @ covariance @ space.mH))[1][..., -1]
    sure = _along(space, found).clamp(0.0, 1.0)
    energy, strongest = _along(covariance, found).clamp_min(0.0), _along(covariance, first).max()
    if float((energy * sure).sum()) < _SECOND_SHARE * float(covariance.diagonal(dim1=-2, dim2=-1).real.sum()):
        return None
    amplitude = (energy / strongest).sqrt()
    seen = ((amplitude - _FAINT) / _FAINT).mul(0.5).clamp(0.0, 1.0)
    return found, sure * seen


def _projector(vectors: Tensor) -> Tensor:
    return vectors.unsqueeze(-1) @ vectors.unsqueeze(-1).mH


def _along(matrices: Tensor, vectors: Tensor) -> Tensor:
    """Return ``v^H M v``, real (...)."""
    return (vectors.conj() * (matrices @ vectors.unsqueeze(-1)).squeeze(-1)).sum(-1).real


def _of_trace_one(matrices: Tensor) -> Tensor:
    """Return semi-definite matrices (..., coil, coil) divided by their trace; zeros stay."""
    trace = matrices.diagonal(dim1=-2, dim2=-1).real.sum(-1)
    return matrices * torch.where(trace > 0, 1.0 / trace, 0.0)[..., None, None]


def unit(vectors: Tensor, fallback: Tensor) -> Tensor:
    """Return vectors (..., coil) with length 1; zeros are replaced by the unit vector ``fallback`` (coil,)."""
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return torch.where(length > 0, vectors / torch.where(length > 0, length, 1.0), fallback)


def smooth_phase(vectors: Tensor, reference: Tensor) -> Tensor:
    """Return unit coil vectors with the phase of parallel transport: no phase step along the central row, nor along any column.

    An eigenvector has no phase of its own. To take it from a virtual coil (``w^H S`` real and positive) leaves a phase vortex
    wherever that coil sees nothing, in maps and images alike; for coils around a body such points lie inside. Carried from
    neighbour to neighbour, so that ``<S(r), S(r')>`` is real and positive, the phase has no vortex where the vectors themselves are
    smooth, and interpolation between them is safe. At the centre ``w^H S`` is real and positive.

    Parameters
    ----------
    vectors
        Complex (y, x, coil).
    reference
        w, complex (coil,).
    """
    row, column = vectors.shape[0] // 2, vectors.shape[1] // 2
    along_row = _transport(vectors[row], column)
    start = (vectors[row, column] @ reference.conj()).angle()
    angles = _transport(vectors, row) + (along_row - start)
    return vectors * torch.polar(torch.ones_like(angles), angles).to(vectors.dtype).unsqueeze(-1)


def _transport(vectors: Tensor, start: int) -> Tensor:
    """Return the phases, real double (n, ...), that make products of neighbours along the first axis real; 0 at ``start``."""
    steps = (vectors[1:].conj() * vectors[:-1]).sum(-1).angle().to(torch.float64)
    angles = torch.cat([torch.zeros_like(vectors[:1, ..., 0].real, dtype=torch.float64), steps.cumsum(0)])
    return angles - angles[start]


def reference_combination(block: Tensor) -> Tensor:
    """Return the strongest combination of the coils, complex unit vector (coil,), its largest element real and positive.

    Parameters
    ----------
    block
        Calibration samples, complex (component, coil, ky, kx).
    """
    samples = block.transpose(0, 1).flatten(1)
    vectors = eigh(samples @ samples.mH)[1]
    strongest: Tensor = vectors[:, -1]
    pivot = strongest[strongest.abs().argmax()]
    return strongest * (pivot.conj() / pivot.abs())
