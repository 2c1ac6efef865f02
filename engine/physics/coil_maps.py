"""Coil sensitivity maps from the fully sampled centre of k-space.

Whatever the method, ``sum_c |S_c|^2 = 1`` at every pixel. Data do not tell how a phase divides between maps and image; here it is
carried by parallel transport from the centre (:func:`engine.physics.espirit.smooth_phase`): products ``<S(r), S(r')>`` of
neighbours are real along the central row and along every column, and at the centre the strongest coil combination of the
calibration samples sees a real and positive sensitivity. Maps and images are then free of
phase vortices. All methods are deterministic.

Sensitivities are smooth, so the work is done on a coarse grid and the unit vectors are interpolated (cubic) and renormalised.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

import torch
from torch import Tensor

from engine.core.axes import COIL, KSPACE_FRAME, KX, KY
from engine.core.errors import InputError, ShapeError, UnknownNameError
from engine.physics import espirit
from engine.physics.calibration import calibration_block

_MIN_POINTS = 48  # of the coarse grid along an axis: sensitivities bend with the field of view, not with the pixels
_SIGNAL_RADIUS = 0.06  # of the field of view: half the width over which ESPIRiT asks for the local covariance of the signal
_LEAST_STRENGTH = 0.02  # of the second set of maps: below it there is none
_MIN_BLOCK = 8  # samples along an axis below which there are too few windows for ESPIRiT


def estimate(
    kspace: Tensor, mask: Tensor | None = None, acs: tuple[int, int] | None = None, method: str = "espirit", **options: Any
) -> Tensor:
    """Return coil maps, complex (1, coil, y, x) with ``sum_c |S_c|^2 = 1``, common to all frames.

    A single coil has maps of ones. Where no block around the centre was measured, or one too small for the method, the
    low-resolution method serves with what was measured there.

    Parameters
    ----------
    kspace
        Complex (frame, coil, ky, kx), zero where nothing was measured.
    mask
        (frame or 1, ky, kx or 1), or the same with a length-1 coil axis; None when all of it was measured.
    acs
        First and one-past-last fully sampled ky line. When None, or when not all of it was measured, the largest block
        around the centre is found whose samples were measured in at least one frame each.
    method
        ``espirit``, ``walsh`` or ``low_res``.
    **options
        ``size`` (24): largest extent of the calibration block; and the keywords of the method's function.

    Raises
    ------
    UnknownNameError
        For another method.
    InputError
        For an unknown or impossible option, and where the calibration samples are zero or not finite.
    ShapeError
        When k-space or mask have other axes, or ``acs`` lies outside ky.
    """
    return estimate_sets(kspace, mask, acs, 1, method, **options)[0]


def estimate_sets(
    kspace: Tensor,
    mask: Tensor | None = None,
    acs: tuple[int, int] | None = None,
    most: int = 2,
    method: str = "espirit",
    **options: Any,
) -> Tensor:
    """Return sets of coil maps, complex (set, 1, coil, y, x): one, or two where one cannot explain the calibration data.

    The first set is that of :func:`estimate`, to the last digit. The second is orthogonal to it; it is there where ESPIRiT's matrix
    has a second eigenvalue near one and the calibration images hold signal along it (tissue that folds over, or ends at the edge
    of the field of view), shorter where less of either is left, and zero elsewhere. Only ESPIRiT finds two.

    Parameters
    ----------
    kspace, mask, acs, method, **options
        As for :func:`estimate`, with its errors.
    most
        1 or 2: how many sets at most.
    """
    if method not in METHODS:
        raise UnknownNameError(f"unknown coil-map method {method!r} (expected one of {', '.join(METHODS)})", "Use espirit.")
    size = options.pop("size", 24)
    _check_options(method, size, options)
    sampling = _check_shapes(kspace, mask, acs)
    if kspace.shape[COIL] == 1:
        return torch.ones((1, 1, 1, *kspace.shape[KY:]), dtype=kspace.dtype, device=kspace.device)
    block, centre, found = calibration_block(kspace.detach(), sampling, acs, size)
    peak = float(torch.linalg.vector_norm(block, ord=float("inf")))
    if not 0.0 < peak < float("inf"):
        raise InputError(
            "coil maps cannot be estimated: the centre of k-space is zero or not finite (expected a signal)",
            "Check the file and the mask; a mask needs some samples at the centre.",
        )
    shape = (int(kspace.shape[KY]), int(kspace.shape[KX]))
    function = METHODS[method]
    if not found or min(block.shape[KY:]) < min(_MIN_BLOCK, *shape):
        function, options = low_res, {}
    if function is espirit_maps:
        return _espirit_sets(block / peak, centre, shape, most, **options)
    return function(block / peak, centre, shape, **options)[None, None]


def low_res(block: Tensor, centre: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    """Return low-resolution coil images divided by their root sum of squares, complex (coil, y, x).

    Source: Pruessmann et al., MRM 1999, with the self-calibration of McKenzie et al., MRM 2002. A Kaiser window keeps
    ringing low.

    Parameters
    ----------
    block
        Calibration samples, complex (component, coil, ky, kx); the first component is used.
    centre
        Where k = 0 lies in the block.
    shape
        Matrix size (y, x) of the maps.
    """
    at_y, at_x = (torch.arange(n, device=block.device) for n in shape)
    images = espirit.evaluate(_windowed(block)[:1].permute(2, 3, 0, 1), at_y, at_x, shape, centre)  # (y, x, 1, coil)
    reference = espirit.reference_combination(block)
    return espirit.smooth_phase(espirit.unit(images.squeeze(-2), reference), reference).permute(2, 0, 1).contiguous()


def walsh(block: Tensor, centre: tuple[int, int], shape: tuple[int, int], radius: float = 0.03, grid: float = 6.0) -> Tensor:
    """Return the dominant eigenvectors of the local coil covariance, complex (coil, y, x).

    Source: Walsh et al., MRM 2000, on the low-resolution images of the calibration block.

    Parameters
    ----------
    block, centre, shape
        As for :func:`low_res`; all components count.
    radius
        Half the width of the averaging box, as a share of the field of view.
    grid
        Pixels between points of the coarse grid (at least 48 points are used along an axis).

    Notes
    -----
    *Deviation*: the covariance is averaged with a box over a coarse grid instead of over every pixel: its images hold no more
    detail than the block has samples.
    """
    at_y, at_x = (_coarse(n, grid, block.device) for n in shape)
    covariance = _covariance(block, centre, shape, at_y, at_x, radius)
    return _maps(covariance, covariance, espirit.reference_combination(block), shape, 0.0)


def espirit_maps(
    block: Tensor,
    centre: tuple[int, int],
    shape: tuple[int, int],
    kernel: int = 6,
    threshold: float | None = None,
    grid: float = 6.0,
    crop: float = 0.0,
) -> Tensor:
    """Return ESPIRiT maps (the first set), complex (coil, y, x).

    Source: Uecker et al., MRM 2014.

    Parameters
    ----------
    block, centre, shape
        As for :func:`low_res`; all components count.
    kernel
        Kernel size; less where the block is small.
    threshold
        Singular values of the calibration matrix above this share of the largest belong to the signal; None: above the noise.
    grid
        Pixels between points of the coarse grid (at least 48 points are used along an axis).
    crop
        Maps are zero where the eigenvalue of M is below; 0 keeps them everywhere, so that nothing is lost outside.

    Notes
    -----
    *Deviation*: M(r) is evaluated as the trigonometric polynomial it is, on a coarse grid, instead of from kernels transformed
    to full size; the maps differ by interpolation only (see :mod:`engine.physics.espirit`). The signal space is told from the
    noise in the calibration matrix itself instead of by a fixed share of its largest singular value. Where several eigenvalues
    are near one, the first map is the direction among theirs that holds the most signal (:func:`engine.physics.espirit.dominant`).
    """
    return _espirit_sets(block, centre, shape, 1, kernel, threshold, grid, crop)[0, 0]


def _espirit_sets(
    block: Tensor,
    centre: tuple[int, int],
    shape: tuple[int, int],
    most: int,
    kernel: int = 6,
    threshold: float | None = None,
    grid: float = 6.0,
    crop: float = 0.0,
) -> Tensor:
    """Return one set of maps or two, complex (set, 1, coil, y, x); see :func:`espirit_maps` and :func:`estimate_sets`."""
    coils = block.shape[COIL]
    sizes = (min(kernel, (block.shape[KY] + 1) // 2), min(kernel, (block.shape[KX] + 1) // 2))
    projector = espirit.signal_projector(espirit.calibration_matrix(block, sizes), threshold)
    coefficients = espirit.polynomial(projector, coils, sizes)
    at_y, at_x = (_coarse(n, grid, block.device) for n in shape)
    matrices = espirit.evaluate(coefficients, at_y, at_x, shape, (sizes[0] - 1, sizes[1] - 1))
    covariance = _covariance(block, centre, shape, at_y, at_x, _SIGNAL_RADIUS)
    reference = espirit.reference_combination(block)
    vectors, values = espirit.dominant(matrices, covariance, reference)
    first = _full_size(vectors, values, reference, shape, crop)
    if most < 2:
        return first[None, None]
    second = espirit.second(matrices, covariance, vectors)
    if second is None:
        return first[None, None]
    # The vector is interpolated without its length, which may fall to zero from one point to the next.
    directions = _full_size(second[0], values, reference, shape, 0.0)
    to_y, to_x = (_cubic(n, points, second[1]) for n, points in zip(shape, second[1].shape, strict=True))
    directions = directions - first * (first.conj() * directions).sum(0)
    length = torch.linalg.vector_norm(directions, dim=0)
    strength = (to_y @ second[1] @ to_x.T).clamp(0.0, 1.0)
    strength = torch.where(strength > _LEAST_STRENGTH, strength / length.clamp_min(_LEAST_STRENGTH), 0.0)
    return torch.stack([first, directions * strength])[:, None]


METHODS: Mapping[str, Callable[..., Tensor]] = {"espirit": espirit_maps, "walsh": walsh, "low_res": low_res}


def _covariance(
    block: Tensor, centre: tuple[int, int], shape: tuple[int, int], at_y: Tensor, at_x: Tensor, radius: float
) -> Tensor:
    """Return the local covariance (y, x, coil, coil') of the low-resolution images, averaged over a box, on the coarse grid."""
    images = espirit.evaluate(_windowed(block).permute(2, 3, 0, 1), at_y, at_x, shape, centre)  # (y, x, component, coil)
    covariance = images.mT @ images.conj()
    return _box(_box(covariance, 0, round(radius * len(at_y))), 1, round(radius * len(at_x)))


def _maps(matrices: Tensor, covariance: Tensor, reference: Tensor, shape: tuple[int, int], crop: float) -> Tensor:
    """Return the dominant eigenvectors of (y, x, coil, coil') on the coarse grid as maps (coil, y, x) of the full size."""
    vectors, values = espirit.dominant(matrices, covariance, reference)
    return _full_size(vectors, values, reference, shape, crop)


def _full_size(vectors: Tensor, values: Tensor, reference: Tensor, shape: tuple[int, int], crop: float) -> Tensor:
    """Return vectors (y, x, coil) of the coarse grid as maps (coil, y, x) of full size, zero where ``values`` are below crop."""
    planes = torch.view_as_real(espirit.smooth_phase(vectors, reference)).permute(3, 2, 0, 1)  # (real and imaginary, coil, y, x)
    to_y, to_x = (_cubic(n, coarse, planes) for n, coarse in zip(shape, vectors.shape[:2], strict=True))
    planes = (to_y @ planes) @ to_x.T
    length = planes.square().sum((0, 1)).sqrt()
    factor = torch.where(length > 0, 1.0 / length, 0.0)
    if crop > 0:
        factor = factor * ((to_y @ values @ to_x.T) >= crop)
    maps = torch.empty(planes.shape[1:], dtype=vectors.dtype, device=vectors.device)
    torch.mul(planes, factor, out=torch.view_as_real(maps).permute(3, 0, 1, 2))
    return maps


def _coarse(size: int, step: float, device: torch.device) -> Tensor:
    """Return positions of the coarse grid in pixels: from the first pixel to the last, both included."""
    points = min(size, max(_MIN_POINTS, ceil(size / step)))
    return torch.linspace(0, size - 1, points, dtype=torch.float64, device=device)


def _cubic(size: int, points: int, like: Tensor) -> Tensor:
    """Return the matrix (size, points) of cubic Lagrange interpolation from evenly spaced points, ends included."""
    if points == size or points < 4:
        at = torch.linspace(0, points - 1, size, dtype=torch.float64)
        weights = (1 - (at[:, None] - torch.arange(points)).abs()).clamp_min(0)
        return weights.to(dtype=like.dtype, device=like.device)
    at = torch.linspace(0, points - 1, size, dtype=torch.float64)
    first = (at.floor().long() - 1).clamp(0, points - 4)
    t = at - first
    nodes = range(4)
    weights = torch.zeros((size, points), dtype=torch.float64)
    for node in nodes:
        value = torch.ones_like(t)
        for other in nodes:
            if other != node:
                value = value * (t - other) / (node - other)
        weights[torch.arange(size), first + node] = value
    return weights.to(dtype=like.dtype, device=like.device)


def _windowed(block: Tensor) -> Tensor:
    """Return the block under a Kaiser window (beta 2): less ringing, with no more loss of resolution than that is worth."""

    def kaiser(length: int) -> Tensor:
        return torch.kaiser_window(length, periodic=False, beta=2.0, dtype=block.real.dtype, device=block.device)

    return block * (kaiser(block.shape[KY])[:, None] * kaiser(block.shape[KX]))


def _box(values: Tensor, axis: int, radius: int) -> Tensor:
    """Return running sums over ``2 radius + 1`` elements along an axis; fewer at the ends."""
    if radius < 1:
        return values
    length = values.shape[axis]
    index = torch.arange(length, device=values.device)
    band = ((index[:, None] - index).abs() <= radius).to(values.dtype)
    sums: Tensor = torch.tensordot(band, values, dims=([1], [axis])).movedim(0, axis)
    return sums


def _check_options(method: str, size: object, options: Mapping[str, Any]) -> None:
    allowed = [name for name in inspect.signature(METHODS[method]).parameters if name not in ("block", "centre", "shape")]
    unknown = [name for name in options if name not in allowed]
    if unknown:
        raise InputError(
            f"coil maps {method} have no option {unknown[0]!r} (expected {', '.join(['size', *allowed])})", "Leave it out."
        )
    if not isinstance(size, int) or size < 4:
        raise InputError(f"the calibration size must be a whole number of at least 4 (found {size})", "24 is usual.")
    limits = {"kernel": (2, 16), "threshold": (0.0, 1.0), "grid": (1.0, 64.0), "crop": (0.0, 1.0), "radius": (0.0, 0.5)}
    for name, value in options.items():
        low, high = limits[name]
        if name == "threshold" and value is None:
            continue
        if not low <= value <= high:
            raise InputError(f"coil-map option {name} must lie between {low:g} and {high:g} (found {value})", "Leave it out.")


def _check_shapes(kspace: Tensor, mask: Tensor | None, acs: tuple[int, int] | None) -> Tensor | None:
    """Return the mask as bool (frame or 1, ky, kx or 1)."""
    if kspace.ndim != 4 or not kspace.is_complex():
        raise ShapeError(
            f"coil maps need complex k-space (expected four axes frame, coil, ky, kx / found {tuple(kspace.shape)} {kspace.dtype})",
            "Give one slice.",
        )
    height, width = kspace.shape[KY:]
    if acs is not None and not 0 <= acs[0] < acs[1] <= height:
        raise ShapeError(
            f"ACS lines {acs[0]}..{acs[1]} lie outside ky (expected 0 to {height})", "Give the first and one-past-last line."
        )
    if mask is None:
        return None
    sampling = mask.squeeze(COIL) if mask.ndim == 4 and mask.shape[COIL] == 1 else mask
    fits = sampling.ndim == 3 and sampling.shape[0] in (1, kspace.shape[KSPACE_FRAME])
    if not fits or sampling.shape[1] != height or sampling.shape[2] not in (1, width):
        raise ShapeError(
            f"mask does not fit k-space (expected frame {kspace.shape[KSPACE_FRAME]} or 1, ky {height}, kx {width} or 1 / "
            f"found {tuple(mask.shape)})",
            "Use the mask of this series.",
        )
    return sampling.to(torch.bool)
