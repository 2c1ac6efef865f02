"""Results of a case: which belong together, which are out of date, and the state with one more of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from app.display.snapshot import ResultEntry, SessionSnapshot
from app.display.words import TIME_NAMES, stale_text
from app.document.case import SAMPLE_NOTE, Case, Pending, Result
from engine.core.records.plain import Plain
from engine.core.types import Complex, Kind, Reconstruction, SamplingMask, Score, frozen

PREVIEW_KEY = "preview"


def is_stale(result: Result, case: Case) -> bool:
    """Whether a result was made with another mask than the one of the sampling panel."""
    return bool(stale_text(result.mask, case.mask))


def made_alike(result: Result, method: str, made: Reconstruction, options: Mapping[str, Plain]) -> bool:
    """Whether a result was made by a method with the mask and the weights of ``made``, and with these settings."""
    same = result.method == method and result.reconstruction.weights == made.weights and result.options == options
    return same and not stale_text(result.mask, made.mask)


def continued(case: Case, method: str, weights: str | None, options: Mapping[str, Plain]) -> Reconstruction | None:
    """Return what a method made of a case before in the same way, as far as it is known before its weights are loaded."""
    return next(
        (
            result.reconstruction
            for result in case.results
            if result.method == method
            and result.options == options
            and weights in (None, result.reconstruction.weights)
            and not is_stale(result, case)
        ),
        None,
    )


def mask_words(mask: SamplingMask) -> str:
    """Return a mask in few words: pattern, nominal and effective acceleration."""
    effective = f"{mask.effective_acceleration:.1f}"
    if mask.nominal_acceleration is None:
        return f"{mask.pattern}, R {effective} effective"
    return f"{mask.pattern} R {mask.nominal_acceleration:g} ({effective} effective)"


def has_zero_filled(case: Case) -> bool:
    """Whether the zero-filled image of the slice on screen was reconstructed with the current mask already."""
    return any(r.method == "zero_filled" and not is_stale(r, case) and case.view.slice_index in r.slices for r in case.results)


def frame_duration(case: Case) -> float | None:
    """Return the duration of a cine frame in ms when the times tell, else None."""
    times = case.data.times_ms
    if case.data.kind is not Kind.CINE or times is None or times.shape[1] < 2:
        return None
    step = float(np.median(np.diff(times[0])))
    return step if step > 0 else None


def with_reference(case: Case, slices: tuple[int, ...], images: Complex) -> Case:
    """Return a case with the reference images (slice, frame, y, x) of ``slices`` added."""
    memory = case.reference_memory
    if len(slices) == case.slices:
        memory = images
    else:
        if memory is None:
            memory = np.zeros((case.slices, *images.shape[1:]), np.complex64)
        memory[list(slices)] = images
    # A new view of the same memory: what was derived from the old one (an empty slice) is not used again.
    reference = frozen(memory, np.complex64)
    there = case.reference_slices | frozenset(slices)
    return replace(case, reference=reference, reference_memory=memory, reference_slices=there)


def with_result(
    case: Case,
    number: int,
    method: str,
    title: str,
    made: Reconstruction,
    options: Mapping[str, Plain],
    beside: bool,
    scores: Mapping[tuple[str, str], Score],
    percentile: float | None,
) -> tuple[Case, Result | None]:
    """Return a case with what a method made, and the earlier result that it should take the place of; ``number`` is a fresh one.

    Made with the same mask, weights and settings as one that is there, it is that one as it is now (a run takes along the slices
    that were there before). Others become a result of their own: in the place of the last one of the same method, or last of all
    when it should stand ``beside`` it. ``scores`` are those of all its slices, {} for none yet, with the dynamic region at
    ``percentile``.
    """
    replaced = None
    case = replace(case, pending=tuple(p for p in case.pending if not _answers(made, method, options, p)))
    # The licence of a sample is in the provenance; under a picture it would be noise.
    made = replace(made, notes=tuple(note for note in made.notes if not note.startswith(SAMPLE_NOTE)))
    results = list(case.results)
    same = next((r for r in results if made_alike(r, method, made, options)), None)
    if same is not None:
        results[results.index(same)] = replace(
            same, reconstruction=made, scores=scores, percentile=percentile, stamp=number, file=""
        )
    else:
        result = Result(
            f"{method}-{number}",
            method,
            title,
            made.mask,
            made,
            scores=scores,
            options=options,
            stamp=number,
            percentile=percentile,
        )
        earlier = [index for index, r in enumerate(results) if r.method == method]
        if earlier and not beside:
            replaced = results[earlier[-1]]
            # In its place, and it behind: there undo puts it back.
            results.insert(earlier[-1], result)
        else:
            results.append(result)
    return replace(case, results=tuple(results)), replaced


def with_remade(case: Case, pending: Pending, made: Reconstruction, stamp: int) -> Case:
    """Return a case with a result of its session file made again: under its key, behind those that are there."""
    rest = tuple(other for other in case.pending if other.key != pending.key)
    if case.result(pending.key) is not None:
        return replace(case, pending=rest)
    made = replace(made, reference=None, notes=tuple(note for note in made.notes if not note.startswith(SAMPLE_NOTE)))
    result = Result(pending.key, pending.method, pending.title, pending.mask, made, options=pending.options, stamp=stamp)
    return replace(case, results=(*case.results, result), pending=rest)


def saved_result(case: Case, key: str, title: str, original: Reconstruction, stamp: int, file: str) -> Result:
    """Return a reconstruction that was read from a file as it is shown in the case of that file.

    Slices and frames count from 0. What it was made with is said under its picture, there being no sampling panel that tells.
    """
    notes = (*(note for note in original.notes if note not in case.data.notes), mask_words(original.mask))
    counted = tuple(range(case.slices)), tuple(range(case.frames))
    shown = replace(original, notes=notes, slices=counted[0], frames=counted[1], reference=None)
    return Result(key, original.method, title, original.mask, shown, original=original, stamp=stamp, file=file)


def _answers(made: Reconstruction, method: str, options: Mapping[str, Plain], pending: Pending) -> bool:
    """Whether what was made is the result that a session file told of."""
    same = (method, made.weights) == (pending.method, pending.weights) and dict(options) == dict(pending.options)
    return same and set(pending.slices) <= set(made.slices) and not stale_text(pending.mask, made.mask)


def snapshot(case: Case | None) -> SessionSnapshot:
    """Return a case frozen for drawing."""
    if case is None:
        return SessionSnapshot()
    entries = [ResultEntry(r.key, r.title, r.reconstruction, r.scores) for r in case.results]
    if case.preview is not None and not has_zero_filled(case):
        entries.insert(0, ResultEntry(PREVIEW_KEY, "Zero-filled, live", case.preview, {}, preview=True))
    return SessionSnapshot(
        title=case.title,
        reference=case.reference,
        reference_slices=case.reference_slices,
        reference_words=case.reference_words,
        results=tuple(entries),
        mask=case.mask,
        region=case.region,
        frame_ms=frame_duration(case),
        times_ms=case.data.times_ms,
        time_name=TIME_NAMES.get(case.data.kind, ""),
        notes=tuple(note for note in case.data.notes if not note.startswith(SAMPLE_NOTE)),
        slices=tuple(range(case.slices)),
        frames=tuple(range(case.frames)),
        voxel_mm=case.data.voxel_mm,
    )
