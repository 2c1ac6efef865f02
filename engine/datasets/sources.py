"""Where training data come from: folders of files, samples, numerical hearts, still images set in motion."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import EngineError, FormatError, InputError
from engine.core.jobs import silent
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, Kind, KSpaceSeries
from engine.datasets.material import Material
from engine.datasets.motion import set_in_motion
from engine.io import open_series
from engine.io.samples import open_sample
from engine.phantom.acquire import PhantomRequest, make_phantom
from engine.phantom.scheme import parse_scheme

SAMPLE, PHANTOM, MOVING = "sample:", "phantom:", "moving:"
MOLLI_SCHEMES = ("5(3)3", "4(1)3(1)2", "5(3)3")  # eight images, nine, eight


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One slice that can be drawn, not read yet.

    ``draw`` gets a generator, for sources that are never twice the same; ``index`` is the slice of the subject's series, None where
    the subject is all there is.
    """

    subject: str
    draw: Callable[[np.random.Generator], Material]
    index: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What one entry of a configuration gives.

    ``endless`` sources make a new subject at each draw; ``skipped`` names files that could not be read, with the reason.
    """

    name: str
    items: tuple[Item, ...]
    endless: bool = False
    skipped: tuple[tuple[str, str], ...] = ()
    fully_sampled: bool = True
    kinds: frozenset[Kind] = field(default_factory=frozenset)


def open_source(
    location: str,
    slices: Sequence[int] = (),
    leave_out: Sequence[int] = (),
    options: OpenOptions | None = None,
    frames: int | None = None,
) -> Source:
    """Open a source.

    Parameters
    ----------
    location
        ``sample:NAME``; ``phantom:cine``, ``phantom:molli`` or ``phantom:t2prep`` (a new heart at each draw);
        ``moving:FOLDER`` (still short-axis images set in motion); or a file or folder of any format the program opens.
        Variables of the environment (``$DATA/cine``) are filled in.
    slices, leave_out
        Slices to take (all when empty), and slices to keep out of it, counted from 0.
    options
        What the files do not say themselves: axes, kind, times.
    frames
        Number of frames that a series must have, for networks whose channels they are: others are skipped, and phantoms are made
        with as many. None takes any.

    Raises
    ------
    InputError
        Nothing there, or nothing that can be read; every file that was skipped is named.
    """
    if location.startswith(PHANTOM):
        return _phantoms(location.removeprefix(PHANTOM), frames)
    if location.startswith(SAMPLE):
        series = open_sample(location.removeprefix(SAMPLE))
        return _of_series(location, [(location, series)], slices, leave_out, (), frames)
    path = Path(os.path.expandvars(location.removeprefix(MOVING))).expanduser()
    if "$" in str(path):
        raise InputError(f"{location} names a variable that is not set", "Set it in the environment, or write the path.")
    if location.startswith(MOVING):
        return _stills(location, path)
    opened: list[tuple[str, KSpaceSeries | ImageSeries]] = []
    skipped: list[tuple[str, str]] = []
    for file in _files(path):
        try:
            opened.append((str(file), open_series(file, options)))
        except EngineError as error:
            skipped.append((str(file), error.message))
    if not opened:
        reasons = "; ".join(f"{Path(name).name}: {why}" for name, why in skipped[:3])
        raise InputError(
            f"nothing to train on in {path} (expected files with k-space or images / found {reasons or 'no files'})",
            "Name a folder of series the program can open: `myoscope info FILE` says what it makes of one.",
        )
    return _of_series(location, opened, slices, leave_out, tuple(skipped), frames)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"there is no {path} (expected a file or a folder)", "Check the path in the configuration.")
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))


def _of_series(
    name: str,
    opened: Sequence[tuple[str, KSpaceSeries | ImageSeries]],
    slices: Sequence[int],
    leave_out: Sequence[int],
    skipped: tuple[tuple[str, str], ...],
    frames: int | None,
) -> Source:
    items: list[Item] = []
    if frames is not None:
        other = [(subject, series.shape[1]) for subject, series in opened if series.shape[1] != frames]
        opened = [(subject, series) for subject, series in opened if series.shape[1] == frames]
        if not opened:
            found = ", ".join(map(str, sorted({count for _, count in other})))
            raise InputError(
                f"{name} has no series that the network can take (expected {frames} frames / found {found})",
                f"Choose settings of the network for {other[0][1]} frames, or other data.",
            )
        skipped += tuple((subject, f"{count} frames (expected {frames})") for subject, count in other)
    for subject, series in opened:
        count = series.shape[0]
        beyond = [index for index in (*slices, *leave_out) if not 0 <= index < count]
        if beyond and len(opened) == 1:
            raise InputError(f"{subject} has no slice {beyond[0]} (expected 0 to {count - 1})", "Count slices from 0.")
        chosen = [index for index in (slices or range(count)) if index not in leave_out and index < count]
        items += [Item(subject, _Reader(series, index, subject), index) for index in chosen]
    if not items:
        raise InputError(f"{name} has no slice left (expected at least one)", "Leave out fewer slices.")
    sampled = all(not isinstance(series, KSpaceSeries) or series.fully_sampled for _, series in opened)
    return Source(name, tuple(items), skipped=skipped, fully_sampled=sampled, kinds=frozenset(s.kind for _, s in opened))


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """Reads one slice of a series when it is drawn."""

    series: KSpaceSeries | ImageSeries
    index: int
    subject: str

    def __call__(self, rng: np.random.Generator) -> Material:  # noqa: ARG002 (a file has nothing to draw)
        series, index = self.series, self.index
        times = None if series.times_ms is None else series.times_ms[index]
        if isinstance(series, ImageSeries):
            return Material(np.asarray(series.images[index]), None, series.kind, self.subject, times)
        acquired = series.acquisition.mask((index,))
        lines = None if acquired is None else acquired.lines
        return Material(None, np.asarray(series.reader.read(index)), series.kind, self.subject, times, lines)


def _phantoms(kind: str, frames: int | None) -> Source:
    """Return an endless source of numerical hearts: size, person, field, heart rate and slice vary."""
    request = PhantomRequest(kind=kind, coils=1)  # refuses an unknown kind
    schemes = [scheme for scheme in MOLLI_SCHEMES if frames in (None, parse_scheme(scheme).count)] or [str(frames)]
    if kind == Kind.T2PREP and frames not in (None, request.frame_count):
        raise InputError(
            f"{PHANTOM}{kind} has {request.frame_count} images, the network is built for {frames}",
            f"Choose settings of the network for {request.frame_count} frames.",
        )

    def draw(rng: np.random.Generator) -> Material:
        side = int(rng.integers(112, 225))
        matrix = (side, int(side * rng.uniform(0.75, 1.1)))
        chosen = replace(
            request,
            matrix=matrix,
            frames=(frames or int(rng.integers(8, 26))) if kind == Kind.CINE else None,
            field_t=float(rng.choice((1.5, 3.0))),
            scheme=str(rng.choice(schemes)),
            rr_ms=float(rng.uniform(650.0, 1150.0)),
            seed=int(rng.integers(1 << 31)),
            analytic=kind != Kind.CINE and bool(rng.uniform() < 0.5),
            snr=float("inf"),
        )
        series, truth = make_phantom(chosen, silent())
        image = np.asarray(truth["image"][0])
        times = None if series.times_ms is None else series.times_ms[0]
        return Material(image, None, Kind(kind), f"phantom {chosen.seed}", times)

    return Source(PHANTOM + kind, (Item("phantom", draw),), endless=True, kinds=frozenset((Kind(kind),)))


def _stills(name: str, folder: Path) -> Source:
    """Return still short-axis images (``img_*.png``, with ``lab_*.png`` of the cavity where there is one), set in motion."""
    files = [file for file in _files(folder) if file.suffix.lower() == ".png" and not file.name.startswith("lab_")]
    if not files:
        raise InputError(f"no images in {folder} (expected PNG files / found none)", "Name a folder of short-axis images.")
    items, skipped = [], []
    for file in files:
        try:
            image = _png(file)
        except (OSError, FormatError) as error:
            skipped.append((str(file), str(error)))
            continue
        label = file.with_name(file.name.replace("img_", "lab_", 1))
        cavity = _cavity(_png(label)) if label != file and label.is_file() else None
        # All images of one person have the person's number in their names: SC-HF-I-09-IM-0001-0007.
        items.append(Item(file.stem.split("-IM-")[0], _Still(image, cavity, file.stem)))
    if not items:
        raise InputError(f"no image in {folder} can be read (found {skipped[0][1]})", "Name a folder of PNG images.")
    return Source(name, tuple(items), skipped=tuple(skipped), kinds=frozenset((Kind.CINE,)))


@dataclass(frozen=True, slots=True, eq=False)
class _Still:
    image: NDArray[np.float32]
    cavity: tuple[tuple[float, float], float] | None
    subject: str

    def __call__(self, rng: np.random.Generator) -> Material:
        ny, nx = self.image.shape
        centre, radius = self.cavity or ((ny / 2 + rng.uniform(-12, 12), nx / 2 + rng.uniform(-12, 12)), 0.07 * min(ny, nx))
        frames = int(rng.integers(10, 26))
        loop = set_in_motion(self.image, centre, radius * rng.uniform(0.9, 1.4), frames, rng)
        return Material(loop, None, Kind.CINE, self.subject)


def _png(file: Path) -> NDArray[np.float32]:
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError("reading PNG images needs Pillow (found none)", "Install it: `pip install pillow`.") from error
    with Image.open(file) as opened:
        return np.asarray(opened.convert("L"), dtype=np.float32)


def _cavity(label: NDArray[Any]) -> tuple[tuple[float, float], float] | None:
    """Return centre (y, x) and radius of the labelled cavity, None when nothing is labelled."""
    inside = label > 0
    area = int(inside.sum())
    if area < 20:
        return None
    y, x = np.nonzero(inside)
    return (float(y.mean()), float(x.mean())), float(np.sqrt(area / np.pi))
