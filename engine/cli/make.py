"""Commands that make data: phantom, simulate."""

from __future__ import annotations

import argparse
from typing import Any

from engine import api
from engine.cli import parse
from engine.cli.inspect import add_reading, open_file
from engine.cli.output import add_common, print_json, reporter
from engine.core.errors import InputError
from engine.core.records.entries import Content
from engine.core.records.plain import table
from engine.core.requests import PhantomSettings
from engine.core.types import ImageSeries, Kind, KSpaceSeries

Commands = Any
# Word of --layout -> the format that is asked for by name, None where the ending tells.
LAYOUTS = {"myoscope": None, "cmrxrecon2023": "cmrxrecon"}


def add(commands: Commands) -> None:
    """Add the commands of this module."""
    phantom = commands.add_parser("phantom", help="a numerical beating heart with truth maps")
    phantom.add_argument("kind", choices=("cine", "molli", "t2prep"))
    phantom.add_argument("--out", required=True, help="file (.h5), or a folder with --layout cmrxrecon2023")
    phantom.add_argument("--matrix", default="192x160", help="KYxKX (default 192x160)")
    phantom.add_argument("--coils", type=int, default=10)
    phantom.add_argument("--slices", type=int, default=1)
    phantom.add_argument("--frames", type=int, default=None, help="cardiac phases of a cine (default 12)")
    phantom.add_argument("--field", type=float, default=3.0, help="field strength in tesla, 1.5 to 3 (default 3)")
    phantom.add_argument("--scheme", default=None, help='MOLLI scheme, for example "5(3)3"')
    phantom.add_argument("--rr-ms", type=float, default=900.0)
    phantom.add_argument("--snr", type=float, default=40.0, help="in the myocardium of the image")
    phantom.add_argument("--seed", type=int, default=0)
    phantom.add_argument("--analytic", action="store_true", help="signal models with exact truth instead of the Bloch simulation")
    phantom.add_argument("--motion-mm", type=float, default=None, help="breathing drift: largest distance from the first frame")
    phantom.add_argument("--echo-times", default=None, help="T2-preparation times in ms (default 0,35,55)")
    phantom.add_argument(
        "--ordering", choices=("linear", "centric"), default=None, help="order of the lines in a shot (default linear)"
    )
    phantom.add_argument("--layout", choices=tuple(LAYOUTS), default="myoscope")
    add_common(phantom)
    phantom.set_defaults(run=run_phantom)

    simulate = commands.add_parser("simulate", help="multi-coil k-space from a magnitude series")
    simulate.add_argument("file", metavar="IMAGES")
    simulate.add_argument("--out", required=True)
    simulate.add_argument("--coils", type=int, default=10)
    simulate.add_argument("--snr", type=float, default=40.0)
    simulate.add_argument("--seed", type=int, default=0)
    add_reading(simulate)
    add_common(simulate)
    simulate.set_defaults(run=run_simulate)


def run_phantom(options: argparse.Namespace) -> int:
    """Make a phantom and write it."""
    _check_kind(options)
    layout = LAYOUTS[options.layout]
    api.check_output(Content.KSPACE, options.out, format_name=layout)
    given = {
        "scheme": options.scheme,
        "frames": options.frames,
        "motion_mm": options.motion_mm,
        "echo_times_ms": parse.numbers(options.echo_times, "echo-times"),
        "ordering": options.ordering,
    }
    settings = PhantomSettings(
        kind=Kind(options.kind),
        matrix=parse.matrix(options.matrix),
        coils=options.coils,
        slices=options.slices,
        field_t=options.field,
        rr_ms=options.rr_ms,
        snr=options.snr,
        seed=options.seed,
        analytic=options.analytic,
        **{key: value for key, value in given.items() if value is not None},
    )
    report = reporter(options)
    series, truth = api.make_phantom(settings, report.part(0, 0.7))
    api.save_series(series, options.out, report.part(0.7, 0.3), truth, layout)
    return _written(options, series)


def _check_kind(options: argparse.Namespace) -> None:
    """Raise ``InputError`` for an option of another kind of phantom: one that is ignored misleads."""
    for value, word, kinds in (
        (options.scheme, "--scheme", ("molli",)),
        (options.echo_times, "--echo-times", ("t2prep",)),
        (options.ordering, "--ordering", ("molli", "t2prep")),
    ):
        if value is not None and options.kind not in kinds:
            raise InputError(f"a {options.kind} takes no {word} (found {word} {value})", f"It belongs to {' and '.join(kinds)}.")


def run_simulate(options: argparse.Namespace) -> int:
    """Make k-space from images and write it."""
    images = open_file(options)
    if not isinstance(images, ImageSeries):
        raise InputError(f"{options.file} holds k-space (expected images)", "`myoscope reconstruct` takes it as it is.")
    api.check_output(Content.KSPACE, options.out, (options.file,))
    report = reporter(options)
    series = api.simulate(images, options.coils, options.snr, options.seed, report.part(0, 0.2))
    api.save_series(series, options.out, report.part(0.2, 0.8))
    return _written(options, series)


def _written(options: argparse.Namespace, series: KSpaceSeries) -> int:
    if options.json:
        print_json({"out": str(options.out), **table(api.describe(series))})
    else:
        sizes = api.describe(series).axes
        print(f"{options.out}: {', '.join(f'{name} {size}' for name, size in sizes.items())}; {'; '.join(series.notes)}")
    return 0
