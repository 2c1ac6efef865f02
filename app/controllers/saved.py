"""Reconstructions read from files: the series they stand for, what they are called, and which belong side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from app.document.case import Case, Origin, Source
from app.session import Session
from engine.core.records.values import listed
from engine.core.types import ImageSeries, Reconstruction

REFERENCES_DIFFER = 0.01
"""References whose relative difference is at most this are of the same data."""


def series_of(made: Reconstruction, file: Path) -> ImageSeries:
    """Return what a saved reconstruction is compared with, as a series: its reference, else its own images."""
    images = made.image if made.reference is None else made.reference
    unknown = [*([] if made.geometry.known else ["orientation"]), *([] if made.voxel_mm is not None else ["voxel size"])]
    return ImageSeries(
        images,
        made.kind,
        made.times_ms,
        made.geometry,
        file.stem,
        str(file),
        "myoscope_h5",
        _data_notes(made),
        tuple(unknown),
    )


def show(session: Session, made: Reconstruction, file: Path) -> str:
    """Put a saved reconstruction on screen: beside those of the same data that are open already, else as a case of its own.

    Return what it is called there.
    """
    case = next((case for case in session.cases if same_data(case, made)), None)
    if case is None:
        title = str(made.provenance.get("source") or "") or file.stem
        case = session.new_case(series_of(made, file), f"{title}: results", str(file))
        case = replace(case, saved=made, mask=made.mask, origin=Origin(Source.RESULT, str(file)))
        session.insert(case)
    elif case.mask is not None and not np.array_equal(case.mask.lines, made.mask.lines):
        # No mask is that of all results: the panel shows none, and none counts as stale.
        session.edit(case.key, request=None, mask=None, mask_file="")
    session.select(case.key)
    name = session.titles.get(made.method, made.method)
    session.add_saved(case.key, name, made, str(file))
    return name


def same_data(case: Case, made: Reconstruction) -> bool:
    """Whether a case was opened from a reconstruction of the same slices and frames of the same data."""
    first = case.saved
    if first is None or (first.slices, first.frames, first.image.shape) != (made.slices, made.frames, made.image.shape):
        return False
    if first.reference is None or made.reference is None:
        source = made.provenance.get("source")
        return first.reference is made.reference and bool(source) and source == first.provenance.get("source")
    # One frame of each slice tells. Coil maps make references of the same data differ a little from run to run.
    mine, other = first.reference[:, 0], made.reference[:, 0]
    return bool(np.linalg.norm(mine - other) <= REFERENCES_DIFFER * np.linalg.norm(mine))


def _data_notes(made: Reconstruction) -> tuple[str, ...]:
    """Return the notes that came with the data, not with the method; a part of a series says which part."""
    notes = [str(note) for note in listed(made.provenance.get("notes", made.notes)) if note in made.notes]
    for name, numbers in (("slice", made.slices), ("frame", made.frames)):
        if numbers != tuple(range(len(numbers))):
            words = ", ".join(str(n + 1) for n in numbers)
            notes.append(f"{name}{'s' if len(numbers) > 1 else ''} {words} of the series")
    return tuple(notes)
