"""Scores: every metric for every slice, with all that is needed to read the number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.core import axes
from engine.core.errors import InputError, ShapeError
from engine.core.jobs import Reporter, silent
from engine.core.types import Complex, Float, Kind, Region, Score
from engine.evaluation.protocols import Part, protocol_of
from engine.evaluation.regions import dynamic_region, static_region
from engine.metrics import METRICS, MetricSpec


def score(
    estimate: Complex,
    reference: Complex,
    metric_names: Sequence[str] = ("psnr", "ssim", "nmse"),
    region: Region | None = None,
    protocol: str = "myoscope",
    report: Reporter | None = None,
    kind: Kind = Kind.UNKNOWN,
) -> list[Score]:
    """Score an estimate against a reference, both (slice, frame, y, x), complex or magnitude.

    Parameters
    ----------
    estimate, reference
        Compared by magnitude; the estimate is never rescaled (except where a challenge's protocol does so).
    metric_names
        Names from the metric registry.
    region
        Pixels to score, bool (slice, y, x); None is the whole image.
    protocol
        Name from :data:`engine.evaluation.protocols.PROTOCOLS`.
    report
        Progress and cancellation.
    kind
        What the frames are; only the cmrxrecon protocol asks (it takes three frames of a cine and all of a mapping series).

    Returns
    -------
    list of Score
        For each metric one entry for each slice and one with slice ``"all"``: the mean of the slices' values (also for PSNR and
        NMSE: it is not the PSNR of all slices together), with the largest data range and all pixels counted. The fastmri
        protocol gives the entry ``"all"`` only, over the volume.

    Raises
    ------
    ShapeError
        The images differ in shape, or the region does not fit.
    UnknownNameError
        No such metric or protocol.
    InputError
        NaN in the images, a reference without signal, an empty region, a metric that takes no region.
    """
    report = report or silent()
    metrics = [METRICS.get(name) for name in metric_names]
    chosen = protocol_of(protocol)
    _check(estimate, reference, region, metrics)
    parts = list(chosen.parts(_magnitude(estimate, "estimate"), _magnitude(reference, "reference"), region, kind))
    scores: list[Score] = []
    for done, metric in enumerate(metrics):
        values = []
        for index, part in enumerate(parts):
            report.step(done * len(parts) + index, len(metrics) * len(parts), metric.title)
            values.append(_value(metric, part))
        scores.extend(_scores(metric, parts, values, protocol))
    report.step(1, 1, "scores")
    return scores


def score_slice(image: Complex, truth: Complex, metric_names: Sequence[str], percentile: float) -> list[Score]:
    """Score one slice (frame, y, x) against its reference: whole image and, when something moves, dynamic and static region.

    The entries are those of slice 0 of :func:`score` on that slice alone; :func:`over_slices` makes the series' scores of them.
    """
    estimate, reference = image[None], truth[None]
    regions: list[Region | None] = [None]
    if truth.shape[0] > 1:
        try:
            regions += [dynamic_region(reference, percentile), static_region(reference, percentile)]
        except InputError:
            regions = [None]  # nothing moves: the whole image is all there is
    found = [one for region in regions for one in score(estimate, reference, metric_names, region)]
    return [one for one in found if one.slice != "all"]


def over_slices(slices: Sequence[Sequence[Score]]) -> dict[tuple[str, str], Score]:
    """Return the scores over several slices by metric and region, as :func:`score` gives them with slice ``"all"``.

    A region that a slice does not have is left out, as it cannot be scored over all of them.
    """
    gathered: dict[tuple[str, str], list[Score]] = {}
    for one in (one for scores in slices for one in scores):
        gathered.setdefault((one.metric, one.region), []).append(one)
    return {
        key: replace(
            found[0],
            value=float(np.mean([one.value for one in found])),
            slice="all",
            data_range=max(one.data_range for one in found),
            n_pixels=sum(one.n_pixels for one in found),
        )
        for key, found in gathered.items()
        if len(found) == len(slices)
    }


def _check(estimate: Complex, reference: Complex, region: Region | None, metrics: Sequence[MetricSpec]) -> None:
    axes.check_axes(reference, axes.IMAGE_AXES, "reference")
    axes.check_axes(estimate, axes.IMAGE_AXES, "estimate")
    if estimate.shape != reference.shape:
        raise ShapeError(
            f"estimate and reference differ (expected {axes.describe(reference.shape, axes.IMAGE_AXES)} / "
            f"found {axes.describe(estimate.shape, axes.IMAGE_AXES)})",
            "Reconstruct the same slices and frames as the reference.",
        )
    if region is None:
        return
    slices, _, y, x = reference.shape
    if region.pixels.shape != (slices, y, x):
        raise ShapeError(
            f"region {region.name} does not fit the images (expected slice {slices}, y {y}, x {x} / "
            f"found {axes.describe(region.pixels.shape, axes.MAP_AXES)})",
            "Draw the region on images of this matrix size.",
        )
    for index, pixels in enumerate(region.pixels):
        if not pixels.any():
            raise InputError(
                f"region {region.name} is empty in slice {index} (expected at least one pixel / found none)",
                "Choose another region, or leave out this slice.",
            )
    whole_only = [metric.name for metric in metrics if not metric.takes_region]
    if whole_only:
        raise InputError(
            f"{', '.join(whole_only)} cannot be taken in a region (expected metrics that can)",
            "Leave it out, or score the whole image.",
        )


def _magnitude(images: NDArray[np.generic], name: str) -> Float:
    magnitude: Float = np.asarray(np.abs(images), dtype=np.float32)
    # A maximum is NaN or infinite as soon as one value is.
    if not np.isfinite(magnitude.max()):
        bad = int(np.count_nonzero(~np.isfinite(magnitude)))
        raise InputError(f"the {name} holds {bad} values that are NaN or infinite (expected none)", f"Repair the {name}.")
    return magnitude


def _value(metric: MetricSpec, part: Part) -> float:
    if not part.frame_by_frame:
        return metric.compute(part.estimate, part.reference, part.pixels, part.data_range)
    frames = range(len(part.reference))
    each = [metric.compute(part.estimate[f : f + 1], part.reference[f : f + 1], part.pixels, part.data_range) for f in frames]
    return float(np.mean(each))


def _scores(metric: MetricSpec, parts: Sequence[Part], values: Sequence[float], protocol: str) -> list[Score]:
    def entry(slice_: int | str, value: float, data_range: float, n_pixels: int) -> Score:
        return Score(
            metric=metric.name,
            value=value,
            unit=metric.unit,
            region=parts[0].region,
            slice=slice_,
            data_range=data_range,
            n_pixels=n_pixels,
            higher_is_better=metric.higher_is_better,
            protocol=protocol,
        )

    single = [
        entry(part.slice, value, part.data_range, part.n_pixels)
        for part, value in zip(parts, values, strict=True)
        if part.slice != "all"
    ]
    data_range = max(part.data_range for part in parts)
    return [*single, entry("all", float(np.mean(values)), data_range, sum(part.n_pixels for part in parts))]
