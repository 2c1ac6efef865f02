"""What a session file needs to become a document again: its data found, loaded, and put together. Done in jobs; no Qt."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from app.controllers.saved import series_of
from app.document.case import Case, MapResult, Origin, Pending, Result, Source, Value
from app.document.file import read, unpacked
from app.document.locate import Found, Known, Verdict, find
from app.document.restore import bare_case, fit_of, in_order, pending_of, read_result
from app.document.results import saved_result
from app.document.saved import FileReference, SavedCase, SavedSession
from app.document.state import Document
from engine.api.contract import EngineApi
from engine.core.errors import EngineError, FormatError
from engine.core.jobs import Reporter
from engine.core.requests import OpenOptions, PhantomSettings
from engine.core.types import ImageSeries, KSpaceSeries, Reconstruction, SamplingMask

R = TypeVar("R", OpenOptions, PhantomSettings)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session file as read, and where the data of each case are now, by its key."""

    path: Path
    session: SavedSession
    found: Mapping[str, Found]

    @property
    def lost(self) -> tuple[SavedCase, ...]:
        """Cases whose data were not found as they were."""
        return tuple(case for case in self.session.cases if case.key in self.found and self.found[case.key].verdict != Verdict.SAME)


@dataclass(frozen=True, slots=True)
class Reopened:
    """A document made from a session file, and in one sentence each what could not be had."""

    document: Document
    problems: tuple[str, ...]


def open_file(path: Path, known: Known, report: Reporter) -> Opened:
    """Read a session file and look for its data."""
    session = read(path)
    found: dict[str, Found] = {}
    for index, case in enumerate(session.cases):
        report.step(index, len(session.cases), case.title)
        if case.origin.data is not None:
            found[case.key] = find(case.origin.data, path.parent, known)
    return Opened(path, session, found)


def load(api: EngineApi, opened: Opened, places: Mapping[str, Path], stamp: int, known: Known, report: Reporter) -> Reopened:
    """Load the data of all cases; ``places`` says where, by key. One that cannot be had is left out, and told.

    ``stamp`` is the first number that was not used in the session.
    """
    session, numbers = opened.session, itertools.count(stamp)
    masks = [unpacked(mask) for mask in session.masks]
    cases, problems = [], []
    for index, saved in enumerate(session.cases):
        part = report.part(index / len(session.cases), 1 / len(session.cases), f"{saved.title}: ")
        try:
            case, more = _case(api, saved, places.get(saved.key), masks, opened.path.parent, numbers, known, part)
        except (EngineError, OSError) as error:
            part.check()
            problems.append(f"{saved.title}: {error.message if isinstance(error, EngineError) else error}")
            continue
        cases.append(case)
        problems += more
    kept = [case.key for case in cases]
    current = session.current if session.current in kept else next(iter(kept), "")
    return Reopened(Document(tuple(cases), current), tuple(problems))


def _case(
    api: EngineApi,
    saved: SavedCase,
    place: Path | None,
    masks: list[SamplingMask],
    folder: Path,
    numbers: itertools.count[int],
    known: Known,
    report: Reporter,
) -> tuple[Case, list[str]]:
    origin = Origin(
        saved.origin.source,
        saved.origin.name if place is None else str(place),
        dict(saved.origin.options),
        None if saved.origin.coils is None or saved.origin.snr is None else (saved.origin.coils, saved.origin.snr),
    )
    data, original = _data(api, origin, report)
    case = bare_case(saved, data, origin, masks)
    if original is not None:
        case = replace(case, saved=original)
    results: list[Result] = []
    pending: list[Pending] = []
    problems: list[str] = []
    for one in saved.results:
        try:
            made, file = _file(one.file, folder, known, api.open_reconstruction)
            if original is not None and made is not None:
                results.append(saved_result(case, one.key, one.title, made, next(numbers), file))
            elif made is not None:
                results.append(read_result(one, case, made, masks, next(numbers), file))
            elif case.kspace is not None:
                pending.append(pending_of(one, masks))
            else:
                problems.append(f"{one.title} of {saved.title} was not found")
        except (EngineError, OSError) as error:
            problems.append(f"{one.title} of {saved.title}: {error.message if isinstance(error, EngineError) else error}")
            if case.kspace is not None:
                pending.append(pending_of(one, masks))
    maps = []
    there = {result.key: result.identity for result in results}
    for one_map in saved.maps:
        found, file = _file(one_map.file, folder, known, api.open_maps)
        if found is not None:
            source = there.get(one_map.key, f"{case.key}/{one_map.key}")
            maps.append(MapResult(one_map.key, one_map.title, found, fit_of(one_map.fit), source, None, next(numbers), file))
    return in_order(case, saved, results, pending, maps), problems


def _file(wanted: FileReference | None, folder: Path, known: Known, open_it: Any) -> tuple[Any, str]:
    """Return what lies in a file of results when it is there as it was, else None; and where."""
    if wanted is None:
        return None, ""
    found = find(wanted, folder, known)
    if found.path is None or found.verdict != Verdict.SAME:
        return None, ""
    return open_it(found.path), str(found.path)


def _record(kind: type[R], options: Mapping[str, Value]) -> R:
    """Return what a person said about a file, or a phantom's settings, from the values in the session file."""
    unknown = sorted(set(options) - {one.name for one in fields(kind)})
    try:
        if unknown:
            raise ValueError(f"unknown option {unknown[0]}")
        # Numbers that JSON cannot hold are written as words: "inf".
        return msgspec.convert(dict(options), kind, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise FormatError(f"its options cannot be read: {error}", "The session file is damaged: open the data anew.") from error


def _data(api: EngineApi, origin: Origin, report: Reporter) -> tuple[KSpaceSeries | ImageSeries, Reconstruction | None]:
    """Return the data of an origin; for a file with a result its reference (or image) as a series, and the result."""
    report.check()
    original: Reconstruction | None = None
    if origin.source is Source.MEMORY or (origin.source is not Source.PHANTOM and not origin.name):
        raise FormatError("its data cannot be had again (expected a file / found none)", "Open the data, and draw anew.")
    data: KSpaceSeries | ImageSeries
    if origin.source is Source.SAMPLE:
        data = api.open_sample(origin.name)
    elif origin.source is Source.PHANTOM:
        data, _ = api.make_phantom(_record(PhantomSettings, origin.options), report)
    elif origin.source is Source.RESULT:
        original = api.open_reconstruction(Path(origin.name))
        data = series_of(original, Path(origin.name))
    else:
        data = api.open_series(Path(origin.name), _record(OpenOptions, origin.options) if origin.options else None)
    if origin.simulation is not None and isinstance(data, ImageSeries):
        data = api.simulate(data, *origin.simulation, 0, report)
    return data, original
