"""What the evaluate command does with two files of maps: bias and limits of agreement instead of image metrics."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from engine import api
from engine.cli.output import print_json, print_table
from engine.core.errors import InputError
from engine.core.files import check_writable, replacing
from engine.core.maps import MapSet
from engine.core.records.plain import Json, table
from engine.core.records.relaxometry import MapComparison
from engine.core.types import Region

FIELDS = (
    "quantity", "unit", "region", "slice", "n", "n_invalid", "n_lost", "reference_mean", "bias", "bias_percent",
    "sd", "lower", "upper", "median", "rmse", "mae",
)  # fmt: skip


def are_maps(estimate: str, reference: str) -> bool:
    """Return whether both files hold maps; raise ``InputError`` when only one does."""
    found = [api.describe_maps(path) is not None for path in (estimate, reference)]
    if any(found) and not all(found):
        maps, other = (estimate, reference) if found[0] else (reference, estimate)
        raise InputError(f"{maps} holds maps, {other} does not (expected two of a kind)", "Compare maps with maps: `myoscope map`.")
    return all(found)


def run(options: argparse.Namespace) -> int:
    """Compare and print; over all slices and, when there are several, for each."""
    for given, default, word in (
        (options.metrics, "psnr,ssim,nmse", "--metrics"),
        (options.protocol, "myoscope", "--protocol"),
        (options.axes, None, "--axes"),
        (options.key, None, "--key"),
    ):
        if given != default:
            raise InputError(f"maps take no {word} (found {word} {given})", "Leave it out: bias and limits of agreement are given.")
    if options.csv:
        check_writable(options.csv, options.estimate, options.reference)
    maps, reference = api.open_maps(options.estimate), api.open_maps(options.reference)
    region = _region(options, maps, reference)
    whole = api.compare_maps(maps, reference, region)
    rows = [_row(whole, "all")]
    if len(whole.slices) > 1:
        rows += [_row(api.compare_maps(maps, reference, _only(maps, region, number)), number) for number in whole.slices]
    if options.csv:
        with replacing(Path(options.csv)) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    if options.json:
        print_json({"estimate": maps.title, "reference": reference.title, "agreement": rows, "notes": whole.notes})
        return 0
    shown = ("slice", "n", "n_invalid", "reference_mean", "bias", "lower", "upper", "rmse")
    heads = ("slice", "pixels", "no value", "reference", "bias", "lower limit", "upper limit", "RMSE")
    print_table(heads, [tuple(row[name] for name in shown) for row in rows])
    print(f"{whole.quantity} in {whole.unit}; limits of agreement: bias -/+ 1.96 SD over pixels; region: {whole.region}")
    if whole.n_lost:
        print(f"note: {whole.n_lost} pixels have a value in the reference only")
    for note in whole.notes:
        print(f"note: {note}")
    return 0


def _region(options: argparse.Namespace, maps: MapSet, reference: MapSet) -> Region | None:
    """Return the region in the slices of ``maps``; dynamic and static are those of the reference's images."""
    settings = {} if options.percentile is None else {"percentile": options.percentile}
    found = api.region_by_name(options.region, reference.images, geometry=reference.geometry, **settings)
    if found is None:
        return None
    pixels = np.zeros(maps.valid.shape, dtype=bool)
    for row, number in enumerate(maps.slices):
        if number in reference.slices and pixels.shape[1:] == found.pixels.shape[1:]:
            pixels[row] = found.pixels[reference.slices.index(number)]
    return Region(pixels, found.name, found.description)


def _only(maps: MapSet, region: Region | None, number: int) -> Region:
    """Return the part of a region that lies in one slice of the series."""
    pixels = np.zeros(maps.valid.shape, dtype=bool)
    row = maps.slices.index(number)
    pixels[row] = True if region is None else region.pixels[row]
    return Region(pixels, "whole" if region is None else region.name)


def _row(found: MapComparison, where: int | str) -> dict[str, Json]:
    """Return what a line of the table holds; what cannot be told is None."""
    told = table(found.agreement) | {name: getattr(found, name) for name in ("quantity", "unit", "region", "n_invalid", "n_lost")}
    return {name: where if name == "slice" else told[name] for name in FIELDS}
