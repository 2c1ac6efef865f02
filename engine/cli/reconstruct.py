"""The reconstruct command."""

from __future__ import annotations

import argparse
import re
from typing import Any

from engine import api
from engine.cli import parse
from engine.cli.inspect import add_reading, open_file
from engine.cli.output import add_common, print_json, reporter
from engine.core.errors import InputError
from engine.core.records.entries import Content
from engine.core.records.outputs import WrittenReconstruction
from engine.core.records.series import Acceleration
from engine.core.requests import MaskRequest, ReconRequest, ReferenceSequence
from engine.core.types import KSpaceSeries, SamplingMask

Commands = Any


def add(commands: Commands) -> None:
    """Add the command of this module."""
    command = commands.add_parser("reconstruct", help="undersample and reconstruct a k-space file")
    command.add_argument("file")
    command.add_argument("--method", required=True, help="`myoscope models` lists them")
    command.add_argument("--weights", help="id from `myoscope weights list`, or a file")
    command.add_argument("--mask", metavar="PATTERN", help="undersample with a pattern (`myoscope masks` lists them)")
    command.add_argument("-R", dest="acceleration", type=float, default=None, help="nominal acceleration (default 8)")
    command.add_argument("--acs", type=int, default=None, help="fully sampled centre lines (default 24)")
    command.add_argument("--seed", type=int, default=None, help="of a random pattern (default 0)")
    frames = command.add_mutually_exclusive_group()
    frames.add_argument("--per-frame", action="store_true", default=None, help="another mask for every frame")
    frames.add_argument("--same-frame", dest="per_frame", action="store_false", help="one mask for all frames")
    command.add_argument("--mask-option", action="append", metavar="NAME=VALUE", help="a further option of the pattern")
    command.add_argument("--mask-file", help="take the mask from a file")
    command.add_argument("--slices", help="0:2, 3 or 0,2,5 (default all)")
    command.add_argument("--frames", help="0:6 (default all)")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda:0")
    command.add_argument(
        "--precision", default="float32", choices=("float32", "bfloat16", "float16"), help="of a network's layers (float16: CUDA)"
    )
    command.add_argument("--stages", action="store_true", help="keep what each cascade produced")
    command.add_argument("--no-reference", action="store_true", help="do not store the fully sampled image")
    command.add_argument(
        "--reference-sequence",
        metavar="FILE|ti:N|mean",
        help="second sequence of methods that need one: another series, frame N of this one, or the temporal mean (default)",
    )
    command.add_argument("--reference-frame", type=int, metavar="N", help="the frame of FILE that leads all frames")
    command.add_argument("--option", action="append", metavar="NAME=VALUE", help="a setting of the method")
    command.add_argument("--out", required=True)
    add_reading(command)
    add_common(command)
    command.set_defaults(run=run)


def sampling(options: argparse.Namespace, series: KSpaceSeries) -> SamplingMask | None:
    """Return the mask that the options ask for, None for the data as measured."""
    given = (options.acceleration, options.acs, options.seed, options.per_frame, options.mask_option)
    words = [value is not None for value in given]
    if options.mask_file:
        if options.mask or any(words):
            raise InputError("--mask-file and --mask, -R, --acs exclude each other", "Give the file, or a pattern, not both.")
        return api.open_mask(options.mask_file, series.shape)
    if options.mask is None:
        if any(words):
            raise InputError(
                "-R, --acs and the other mask options need --mask PATTERN", "For example --mask equispaced -R 8 --acs 24."
            )
        return None
    _check_used(options)
    request = MaskRequest(
        pattern=options.mask,
        acceleration=8.0 if options.acceleration is None else options.acceleration,
        acs=24 if options.acs is None else options.acs,
        seed=options.seed or 0,
        per_frame=options.per_frame,
        options=parse.assignments(options.mask_option, "--mask-option offset=1"),
    )
    return api.make_mask(request, series.shape)


def _check_used(options: argparse.Namespace) -> None:
    """Raise ``InputError`` for a common control that means nothing for the pattern: a number that is ignored misleads."""
    spec = next((spec for spec in api.mask_patterns() if spec.name == options.mask), None)
    if spec is None:
        return  # make_mask names the nearest
    own = ", ".join(f"--mask-option {o.name}={o.default}" for o in spec.options)
    for value, used, word in (
        (options.acceleration, spec.uses_acceleration, "-R"),
        (options.acs, spec.uses_acs, "--acs"),
    ):
        if value is not None and not used:
            raise InputError(
                f"pattern {spec.name} takes no {word} (found {word} {value:g})",
                f"Leave it out; what there is: {own}." if own else "Leave it out.",
            )


def second_sequence(options: argparse.Namespace) -> ReferenceSequence | None:
    """Return the reference sequence that the options ask for, None when they do not speak of one."""
    word, frame = options.reference_sequence, options.reference_frame
    number = None if word is None else re.fullmatch(r"(?:ti|frame):(-?\d+)", word)
    if frame is not None and (word in (None, "mean") or number):
        raise InputError(
            f"--reference-frame {frame} needs a file (found {word or 'no reference sequence'})",
            "For example --reference-sequence OTHER.h5 --reference-frame 3; a frame of this series is ti:3.",
        )
    if word is None:
        return None
    if word == "mean":
        return ReferenceSequence()
    if number:
        return ReferenceSequence(frame=int(number[1]))
    return ReferenceSequence(api.open_series(word), frame)


def run(options: argparse.Namespace) -> int:
    """Reconstruct and write; nothing is written on failure."""
    series = open_file(options)
    if not isinstance(series, KSpaceSeries):
        raise InputError(
            f"{options.file} holds images (expected k-space)",
            "Make k-space from them first: `myoscope simulate IMAGES --out F.h5`.",
        )
    inputs = (options.file, *([options.mask_file] if options.mask_file else []))
    api.check_output(Content.RECONSTRUCTION, options.out, inputs)
    request = ReconRequest(
        series=series,
        method=options.method,
        mask=sampling(options, series),
        weights=options.weights,
        slices=parse.indices(options.slices, series.shape[0], "slices"),
        frames=parse.indices(options.frames, series.shape[1], "frames"),
        device=options.device,
        stages=options.stages,
        reference=not options.no_reference,
        options=parse.assignments(options.option, "--option iterations=30"),
        precision=options.precision,
        reference_sequence=second_sequence(options),
    )
    result = api.reconstruct(request, reporter(options))
    api.save_reconstruction(result, options.out)
    mask = result.mask
    written = WrittenReconstruction(
        out=str(options.out),
        method=result.method,
        acceleration=Acceleration(mask.nominal_acceleration, round(mask.effective_acceleration, 4)),
        seconds=round(result.seconds, 3),
        device=str(result.provenance["device"]),
        notes=result.notes,
    )
    if options.json:
        print_json(written)
        return 0
    nominal = written.acceleration.nominal
    rate = f"R {nominal:g} nominal, " if nominal is not None else ""
    effective = f"{written.acceleration.effective:.2f} effective"
    print(f"{written.out}: {written.method}, {rate}{effective}, {result.seconds:.2f} s on {written.device}")
    for note in written.notes:
        print(f"note: {note}")
    return 0
