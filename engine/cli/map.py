"""The map command."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np

from engine import api
from engine.cli import parse
from engine.cli.inspect import add_reading, open_file
from engine.cli.output import add_common, print_json, print_table, reporter
from engine.core.axes import MAP_AXES
from engine.core.errors import InputError
from engine.core.jobs import Reporter
from engine.core.maps import FitRequest, MapSet
from engine.core.records.entries import Content
from engine.core.records.outputs import MapQuartiles, WrittenMaps
from engine.core.records.values import at, number, tabled
from engine.core.types import ImageSeries, Kind, KSpaceSeries, ParameterMap

Commands = Any
DEFAULT_MODELS = {Kind.MOLLI: "molli3", Kind.T2PREP: "t2prep2"}


def add(commands: Commands) -> None:
    """Add the command of this module."""
    command = commands.add_parser("map", help="fit T1 or T2 in every pixel of a reconstruction or of images")
    command.add_argument("file", help="a reconstruction, images, or fully sampled k-space")
    command.add_argument("--model", help="molli3, ir3, t2prep2, t2prep3, or a network (default: by the kind of series)")
    command.add_argument("--signed", default="auto", help="auto, magnitude, signed or complex: what the samples are")
    command.add_argument("--motion", default="none", help="none, rigid or deformable correction before the fit")
    command.add_argument("--efficiency", type=float, default=1.0, help="inversion efficiency that T1 of molli3 is divided by")
    command.add_argument("--background", type=float, default=0.05, help="share of the 99th percentile below which is no tissue")
    command.add_argument("--weights", help="of a mapping network: id from `myoscope weights list`, or a file")
    command.add_argument("--slices", help="0:2, 3 or 0,2,5 (default all)")
    command.add_argument("--reference", action="store_true", help="fit the reference in a reconstruction's file")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda:0")
    command.add_argument("--out", required=True, metavar="MAPS.h5|DIR|.nii.gz", help="HDF5, a BIDS folder, or one NIfTI map")
    add_reading(command)
    add_common(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fit and write; print what was found."""
    report = reporter(options)
    api.check_output(Content.MAPS, options.out, (options.file,))
    series = open_file(options)
    request = FitRequest(
        model=options.model or _default_model(series.kind, options.file),
        signed=options.signed,
        motion=options.motion,
        efficiency=options.efficiency,
        background=options.background,
        weights=options.weights,
        device=options.device,
    )
    _check_used(request)
    maps = _fit(series, request, options, report)
    api.save_maps(maps, options.out)
    _print(maps, options)
    return 0


def _check_used(request: FitRequest) -> None:
    """Raise ``InputError`` for an option that means nothing here: one that is ignored misleads."""
    model = next((m for m in api.fit_models() if m.name == request.model), None)
    if model is not None and not model.efficiency and request.efficiency != 1.0:
        raise InputError(
            f"{request.model} takes no inversion efficiency (found --efficiency {request.efficiency:g})",
            "Leave it out: it belongs to molli3.",
        )


def _default_model(kind: Kind, file: str) -> str:
    if kind not in DEFAULT_MODELS:
        raise InputError(
            f"what to fit to {file} is not known (its kind is {kind})", "Say it: --model molli3, ir3, t2prep2 or t2prep3."
        )
    return DEFAULT_MODELS[kind]


def _fit(series: KSpaceSeries | ImageSeries, request: FitRequest, options: argparse.Namespace, report: Reporter) -> MapSet:
    chosen = parse.indices(options.slices, series.shape[0], "slices") or tuple(range(series.shape[0]))
    title, geometry = series.name, series.geometry.select(chosen)
    if isinstance(series, KSpaceSeries):
        if options.reference:
            raise InputError(
                "--reference belongs to a reconstruction (found k-space)", "Leave it out: k-space gives the reference."
            )
        if not series.fully_sampled:
            raise InputError(
                f"{options.file} is undersampled k-space (expected images or fully sampled k-space)",
                "Reconstruct it first: `myoscope reconstruct`.",
            )
        images = api.reference(series, chosen, None, report.part(0.0, 0.5))
        report = report.part(0.5, 0.5)
        title = "reference"
        numbers = chosen
    elif "method" in series.attributes:  # one of our reconstruction files
        made = api.open_reconstruction(options.file)
        images, title, numbers = made.image[list(chosen)], made.method, tuple(made.slices[i] for i in chosen)
        if options.reference:
            if made.reference is None:
                raise InputError(f"{options.file} holds no reference (expected one)", "Leave out --reference.")
            images, title = made.reference[list(chosen)], "reference"
    else:
        if options.reference:
            raise InputError("--reference belongs to a reconstruction (found images)", "Leave it out.")
        images, numbers = series.images[list(chosen)], chosen
    times = None if series.times_ms is None else np.asarray(series.times_ms)[list(chosen)]
    maps = api.fit_maps(images, request, report, times_ms=times, title=title, kind=series.kind, slices=numbers, geometry=geometry)
    return replace(maps, provenance={**maps.provenance, "source": series.name})


def _quartiles(one: ParameterMap) -> MapQuartiles:
    values = one.values[one.valid]
    if not values.size:
        return MapQuartiles(None, None, None, None)
    q25, median, q75 = (float(q) for q in np.percentile(values, (25, 50, 75)))
    return MapQuartiles(median, q25, q75, None if one.sd is None else float(np.median(one.sd[one.valid])))


def _print(maps: MapSet, options: argparse.Namespace) -> None:
    reasons = tabled(at(maps.provenance, "fit.invalid", {}))
    written = WrittenMaps(
        out=str(options.out),
        model=maps.model,
        signed=str(at(maps.provenance, "fit.signed")),
        axes=dict(zip(MAP_AXES, (int(n) for n in maps.valid.shape), strict=True)),
        valid=int(maps.valid.sum()),
        invalid={reason: int(number(count)) for reason, count in reasons.items()},
        maps={name: _quartiles(one) for name, one in maps.maps.items()},
        seconds=maps.seconds,
        notes=maps.notes,
    )
    if options.json:
        print_json(written)
        return
    rows = [(name, one.median, one.q25, one.q75, one.median_sd) for name, one in written.maps.items()]
    print_table(("map", "median", "25 %", "75 %", "SD (median)"), rows)
    print(f"{written.valid} of {maps.valid.size} pixels valid; {written.signed} samples; {maps.seconds:.2f} s")
    for note in written.notes:
        print(f"note: {note}")
    print(f"wrote {written.out}")
