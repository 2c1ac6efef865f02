"""The evaluate command."""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine import api
from engine.cli.evaluate_maps import are_maps
from engine.cli.evaluate_maps import run as run_maps
from engine.cli.output import add_common, print_json, print_table, reporter
from engine.core.errors import InputError, ShapeError
from engine.core.files import check_writable, replacing
from engine.core.geometry import Geometry
from engine.core.jobs import Reporter
from engine.core.records.plain import Json
from engine.core.requests import OpenOptions
from engine.core.types import Complex, ImageSeries, Kind, KSpaceSeries, Reconstruction, Score

Commands = Any
FIELDS = ("metric", "value", "unit", "region", "slice", "data_range", "n_pixels", "protocol")


def add(commands: Commands) -> None:
    """Add the command of this module."""
    command = commands.add_parser("evaluate", help="score a reconstruction, or maps, against a reference")
    command.add_argument("estimate", help="a reconstruction (.h5), images, or maps (.h5)")
    command.add_argument("reference", help="fully sampled k-space, a reconstruction, images, or maps (.h5)")
    command.add_argument("--region", default="whole", help="whole, dynamic, static, or a mask file")
    command.add_argument("--percentile", type=float, default=None, help="of the dynamic region (default 90)")
    command.add_argument("--metrics", default="psnr,ssim,nmse", help="`myoscope metrics` lists them")
    command.add_argument(
        "--protocol", default="myoscope", help="whose definitions: myoscope (default), cmrxrecon, cmrxrecon_mapping, fastmri"
    )
    command.add_argument("--csv", metavar="FILE", help="write the scores as CSV")
    command.add_argument("--axes", help="axes of plain arrays in storage order: s slice, f frame, y, x")
    command.add_argument("--key", help="name of the variable in a file of plain arrays")
    add_common(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Score and print; per slice and over all slices."""
    report = reporter(options)
    if are_maps(options.estimate, options.reference):
        _check_used(options)
        return run_maps(options)
    names = [name.strip() for name in options.metrics.split(",") if name.strip()]
    if not names:
        raise InputError("no metrics were named (expected names separated by commas)", "For example --metrics psnr,ssim,nmse.")
    _check_used(options)
    if options.csv:
        check_writable(options.csv, options.estimate, options.reference)
    estimate, slices, frames, kind, geometry = _estimate(options.estimate, options)
    reference = _reference(options.reference, options, slices, frames, report.part(0, 0.5))
    if estimate.shape != reference.shape:
        raise ShapeError(
            f"estimate and reference differ (expected {reference.shape} / found {estimate.shape}, axes slice, frame, y, x)",
            "Compare files of the same series, slices and frames.",
        )
    settings = {} if options.percentile is None else {"percentile": options.percentile}
    region = api.region_by_name(options.region, reference, geometry=geometry, **settings)
    scores = api.evaluate(estimate, reference, names, region, options.protocol, report.part(0.5, 0.5), kind)
    if slices is not None:  # a reconstruction of some slices: say which ones of the series they are
        scores = [score if score.slice == "all" else replace(score, slice=slices[int(score.slice)]) for score in scores]
    rows = [{field: getattr(score, field) for field in FIELDS} for score in scores]
    if options.csv:
        _write_csv(options.csv, rows)
    if options.json:
        # JSON knows no infinity: the PSNR of identical images is null.
        print_json([{**row, "value": row["value"] if np.isfinite(row["value"]) else None} for row in rows])
    else:
        _print(scores)
    return 0


def _check_used(options: argparse.Namespace) -> None:
    """Raise ``InputError`` for an option that means nothing here: one that is ignored misleads."""
    if options.percentile is not None and options.region not in ("dynamic", "static"):
        raise InputError(
            f"region {options.region} takes no --percentile (found --percentile {options.percentile:g})",
            "Leave it out, or add --region dynamic or --region static.",
        )
    for value, word in ((options.axes, "--axes"), (options.key, "--key")):
        if value is not None and _is_ours(options.estimate) and _is_ours(options.reference):
            raise InputError(f"both files tell their axes themselves (found {word} {value})", f"Leave {word} out.")


def _is_ours(path: str) -> bool:
    """Whether a file is one of our own layouts, which tell their axes."""
    return any(entry.format == "myoscope_h5" and not entry.problem for entry in api.list_entries(path))


def _open(path: str, options: argparse.Namespace) -> KSpaceSeries | ImageSeries:
    """Open a file; ``--axes`` and ``--key`` are for plain arrays, our own files tell."""
    if (options.axes or options.key) and not _is_ours(path):
        return api.open_series(path, OpenOptions(axes=options.axes, key=options.key))
    return api.open_series(path)


def _estimate(
    path: str, options: argparse.Namespace
) -> tuple[Complex, tuple[int, ...] | None, tuple[int, ...] | None, Kind, Geometry]:
    """Return the images, for a reconstruction which slices and frames of its series they are, the kind, and where they lie."""
    opened = _open(path, options)
    if not isinstance(opened, ImageSeries):
        raise InputError(
            f"{path} holds k-space (expected a reconstruction or images)", "Reconstruct it first: `myoscope reconstruct`."
        )
    if "method" in opened.attributes:  # one of our reconstruction files
        made: Reconstruction = api.open_reconstruction(path)
        return made.image, made.slices, made.frames, made.kind, made.geometry
    return np.asarray(opened.images, dtype=np.complex64), None, None, opened.kind, opened.geometry


def _reference(
    path: str, options: argparse.Namespace, slices: tuple[int, ...] | None, frames: tuple[int, ...] | None, report: Reporter
) -> Complex:
    opened = _open(path, options)
    if not isinstance(opened, ImageSeries):
        if not opened.fully_sampled:
            raise InputError(
                f"{path} is undersampled (expected fully sampled k-space)", "Only fully sampled data can be a reference."
            )
        _check_within(path, slices, opened.shape[0], "slice")
        _check_within(path, frames, opened.shape[1], "frame")
        return api.reference(opened, slices, frames, report)
    if "method" in opened.attributes:  # one of our reconstruction files
        made = api.open_reconstruction(path)
        return _matching(path, made, slices or made.slices, frames or made.frames)
    images = np.asarray(opened.images, dtype=np.complex64)
    if slices is not None and images.shape[0] > max(slices):
        images = images[list(slices)]
    if frames is not None and images.shape[1] > max(frames):
        images = images[:, list(frames)]
    return images


def _matching(path: str, made: Reconstruction, slices: tuple[int, ...], frames: tuple[int, ...]) -> Complex:
    """Return the images of a reconstruction that show these slices and frames of their series."""
    for chosen, there, name in ((slices, made.slices, "slice"), (frames, made.frames, "frame")):
        missing = [index for index in chosen if index not in there]
        if missing:
            raise ShapeError(
                f"{path} has no {name} {missing[0]} of the series (expected {', '.join(map(str, chosen))} / "
                f"found {', '.join(map(str, there))})",
                "Reconstruct the same slices and frames.",
            )
    rows, columns = [made.slices.index(s) for s in slices], [made.frames.index(f) for f in frames]
    return made.image[np.ix_(rows, columns)]


def _check_within(path: str, chosen: tuple[int, ...] | None, size: int, name: str) -> None:
    if chosen is not None and max(chosen) >= size:
        raise ShapeError(f"{path} has no {name} {max(chosen)} (expected fewer than {size})", "Is this the series it was made from?")


def _write_csv(path: str, rows: list[dict[str, Json]]) -> None:
    with replacing(Path(path)) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def _print(scores: list[Score]) -> None:
    rows = [(s.metric, s.value, s.unit or "-", s.region, s.slice, s.data_range, s.n_pixels) for s in scores]
    print_table(("metric", "value", "unit", "region", "slice", "data range", "pixels"), rows)
    print(f"protocol: {scores[0].protocol}" if scores else "no scores")
