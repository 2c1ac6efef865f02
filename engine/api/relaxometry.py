"""T1 and T2 maps, motion, segments, ECV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.core.geometry import UNKNOWN, Geometry
from engine.core.jobs import Reporter, silent
from engine.core.maps import FitRequest, MapSet, PixelFit
from engine.core.records.registries import FitModelInfo
from engine.core.records.relaxometry import EcvSummary, MapComparison, SegmentStatistics, SiteReference
from engine.core.records.series import MapsInfo
from engine.core.types import (
    Bool,
    Float,
    Kind,
    ParameterMap,
    Reconstruction,
    Region,
)


def fit_models() -> list[FitModelInfo]:
    """Return all signal models that can be fitted."""
    from engine.relaxometry.contract import MODELS

    return [model.info for _, model in MODELS.items()]


def fit_maps(
    images: NDArray[Any],
    request: FitRequest,
    report: Reporter | None = None,
    *,
    times_ms: NDArray[Any] | None = None,
    title: str = "",
    kind: Kind = Kind.UNKNOWN,
    slices: tuple[int, ...] = (),
    geometry: Geometry = UNKNOWN,
) -> MapSet:
    """Fit T1 or T2 in every pixel of images (slice, frame, y, x). See :func:`engine.relaxometry.fit.fit_maps`."""
    from engine.relaxometry.fit import fit_maps as run

    load = _weights_loader(request.model)
    return run(images, request, report, times_ms=times_ms, title=title, kind=kind, slices=slices, geometry=geometry, load=load)


def fit_map(
    reconstruction: Reconstruction, request: FitRequest, report: Reporter | None = None, *, reference: bool = False
) -> MapSet:
    """Fit the images of a reconstruction, or with ``reference`` those of its reference; times and the rest are its own."""
    from engine.relaxometry.fit import fit_map as run

    return run(reconstruction, request, report, reference=reference, load=_weights_loader(request.model))


def _weights_loader(model: str) -> Callable[..., Any] | None:
    """Return what loads the network behind a model of relaxometry, None for a fit."""
    from engine.relaxometry.contract import MODELS

    if MODELS.get(model).network is None:
        return None
    from engine.reconstruction.weights import load

    return load


def fit_pixel(maps: MapSet, slice_index: int, y: int, x: int) -> PixelFit:
    """Return samples with recovered sign, curve, parameters with 95 % intervals and residuals of one pixel."""
    from engine.relaxometry.pixel import fit_pixel as run

    return run(maps, slice_index, y, x)


def save_maps(maps: MapSet, path: str | Path) -> None:
    """Write maps as the ending says: HDF5 (``.h5``), the asked map as NIfTI (``.nii.gz``), or all as a BIDS folder, in seconds."""
    from engine.io import save

    save(maps, path)


def open_maps(path: str | Path) -> MapSet:
    """Read maps that :func:`save_maps` wrote as HDF5."""
    from engine.io.maps import read_maps

    return read_maps(path)


def describe_maps(path: str | Path) -> MapsInfo | None:
    """Return what a file of maps holds, None for any other file."""
    from engine.io.maps import describe

    return describe(path)


def warm_up_fit() -> None:
    """Load (or, on a new machine, compile) what fits, so that the first map is instant. Call it from a job."""
    from engine.relaxometry.fit import warm_up as run

    run()


def register_series(
    images: NDArray[Any], times_ms: NDArray[Any], model: str, how: str, report: Reporter | None = None, **options: Any
) -> tuple[NDArray[Any], Float, Float, Float]:
    """Bring frames of other contrast into register. See :func:`engine.relaxometry.motion.register_series`.

    Returns images (slice, frame, y, x), displacement (slice, frame, 2, y, x) in pixels, and the fit's residual before and after
    (slice,). ``options``: ``signed``, ``region`` (bool (slice, y, x)).
    """
    from engine.relaxometry.motion import register_series as run

    return run(images, times_ms, model, how, report or silent(), **options)


def contour_region(points: NDArray[Any], shape: tuple[int, int]) -> Bool:
    """Return the pixels (y, x) inside an outline (N, 2) of (y, x). See :mod:`engine.relaxometry.contours`."""
    from engine.relaxometry.contours import contour_region as run

    return run(points, shape)


def segments(
    endo: NDArray[Any],
    epi: NDArray[Any],
    insertion: tuple[float, float],
    clockwise: bool,
    level: str,
    shape: tuple[int, int],
    *,
    pixel_mm: tuple[float, float] = (1.0, 1.0),
) -> dict[int, Bool]:
    """Return the AHA segments of a slice: number -> pixels (y, x). See :func:`engine.relaxometry.segments.segments`."""
    from engine.relaxometry.segments import segments as run

    return run(endo, epi, insertion, clockwise, level, shape, pixel_mm=pixel_mm)


def segment_table(map_: ParameterMap, slice_index: int, masks: Mapping[int, Bool]) -> list[SegmentStatistics]:
    """Return statistics of each mask. See :mod:`engine.relaxometry.segments`."""
    from engine.relaxometry.segments import segment_table as run

    return run(map_, slice_index, masks)


def bullseye(map_: ParameterMap, masks: Mapping[int, Mapping[int, Bool]]) -> list[SegmentStatistics]:
    """Return statistics of all 16 segments over all slices. See :func:`engine.relaxometry.segments.bullseye`."""
    from engine.relaxometry.segments import bullseye as run

    return run(map_, masks)


def ecv(
    native: MapSet,
    post: MapSet,
    blood: Region,
    haematocrit: float,
    myocardium: Region | None = None,
    *,
    haematocrit_sd: float = 0.0,
    blood_post: Region | None = None,
    myocardium_post: Region | None = None,
) -> tuple[ParameterMap, EcvSummary]:
    """Return the extracellular volume in percent and its summary. See :func:`engine.relaxometry.ecv.ecv`."""
    from engine.relaxometry.ecv import ecv as run

    return run(
        native,
        post,
        blood,
        haematocrit,
        myocardium,
        haematocrit_sd=haematocrit_sd,
        blood_post=blood_post,
        myocardium_post=myocardium_post,
    )


def compare_maps(
    maps: MapSet, reference: MapSet, region: Region | None = None, *, masks: Mapping[int, Mapping[int, Bool]] | None = None
) -> MapComparison:
    """Return bias, limits of agreement and the difference map. See :func:`engine.relaxometry.compare.compare_maps`."""
    from engine.relaxometry.compare import compare_maps as run

    return run(maps, reference, region, masks=masks)


def disagreement(fits: Sequence[MapSet]) -> ParameterMap:
    """Return the standard deviation of T1 or T2 across methods, where all have a value."""
    from engine.relaxometry.compare import disagreement as run

    return run(fits)


def site_references(path: str | Path | None = None) -> list[SiteReference]:
    """Return the user's own reference values; none are built in."""
    from engine.relaxometry.references import read_references

    return read_references(path)


def save_site_references(sites: Sequence[SiteReference], path: str | Path | None = None) -> Path:
    """Write the whole table of reference values and return where."""
    from engine.relaxometry.references import save_references

    return save_references(sites, path)


def z_score(value: float, site: SiteReference) -> float:
    """Return how many standard deviations a value lies from the mean of a site reference."""
    from engine.relaxometry.references import z_score as run

    return run(value, site)
