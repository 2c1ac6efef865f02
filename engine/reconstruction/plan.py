"""A run: several methods on the slices of one series, with one mask. What is finished is told at once, and kept.

Each method is made once. All methods reconstruct the first slice, then all the next one: the slice on screen comes first, and who
cancels has the same slices of every method, which can be compared. The images of a method lie in one buffer, allocated once for
all slices; each :class:`engine.core.requests.SliceDone` holds a view of what is there. A method that fails takes no further part;
the others go on.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from engine.core import device as devices
from engine.core.axes import COIL
from engine.core.errors import Cancelled
from engine.core.jobs import Reporter
from engine.core.requests import MethodFailed, MethodRequest, ReconRequest, RunRequest, SliceDone
from engine.core.types import Complex, Reconstruction, SamplingMask, Score
from engine.evaluation.score import over_slices, score_slice
from engine.reconstruction.build import Built, build, check_serves
from engine.reconstruction.inputs import effective_mask, indices_of, reference_image, select_frames
from engine.reconstruction.judgement import reasons, worse_than_zero_filling
from engine.reconstruction.memory import check_fits
from engine.reconstruction.record import Spent, finished, series_notes
from engine.reconstruction.reference_sequence import check_reference_sequence
from engine.reconstruction.slice import Measured, measure, reconstruct_slice
from engine.reconstruction.stages import StageRecorder

Tell = Callable[[SliceDone | MethodFailed], None]
MEASURING = 0.1  # share of a slice's progress


def reconstruct(request: ReconRequest, report: Reporter) -> Reconstruction:
    """Reconstruct the slices of a request: a run of one method.

    Raises
    ------
    UnknownNameError, InputError, ShapeError, CheckpointMismatch, DeviceMemoryError, Cancelled
        See their messages. Nothing is kept on failure.
    """
    method = MethodRequest(request.method, request.weights, request.options, request.precision, request.reference_sequence)
    made: list[Reconstruction] = []

    def keep(told: SliceDone | MethodFailed) -> None:
        if isinstance(told, MethodFailed):
            raise told.error
        if told.finished:
            made.append(told.result)

    run(
        RunRequest(
            series=request.series,
            methods=(method,),
            mask=request.mask,
            slices=request.slices,
            frames=request.frames,
            device=request.device,
            stages=request.stages,
            reference=request.reference,
        ),
        report,
        keep,
    )
    (whole,) = made
    return whole if request.slices is None else in_order(whole, request.slices)


def run(request: RunRequest, report: Reporter, tell: Tell) -> None:
    """Reconstruct, telling each slice of each method as soon as it is there.

    Every method that made a slice is told once more at the end, ``finished``, with its slices ascending; also when the run was
    cancelled.

    Parameters
    ----------
    request
        Series, mask, methods, slices.
    report
        Told how far all of it is; asked whether to stop, between slices and inside them.
    tell
        Called in this thread.

    Raises
    ------
    InputError, ShapeError
        Mask, slices or frames do not fit the series. What concerns one method only is told as :class:`MethodFailed`.
    Cancelled
        The user asked to stop.
    """
    series = request.series
    slices = indices_of(request.slices, series.shape[0], "slice")
    frames = indices_of(request.frames, series.shape[1], "frame")
    mask = effective_mask(series, request.mask, slices)
    target = devices.choose(request.device)
    report.step(0, 1, "preparing")
    going = _Going(request, slices, frames, mask, target, tell)
    for index, method in enumerate(request.methods):
        report.check()
        going.prepare(index, method)
    try:
        for position, slice_index in enumerate(slices):
            if not going.lines:
                break
            words = f"slice {slice_index + 1}: " if len(slices) > 1 else ""
            going.work(slice_index, report.part(position / len(slices), 1 / len(slices), words))
        report.step(1, 1, "done")
    finally:
        going.finish()


@dataclass(slots=True, eq=False)
class _Line:
    """One method of the run: how it was made ready, and what it has made."""

    index: int
    request: MethodRequest
    built: Built
    images: Complex  # (slice, frame, y, x), in the order of work, filled up to len(slices)
    slices: list[int]
    recorder: StageRecorder
    references: Complex | None = None
    earlier: Reconstruction | None = None
    spent: list[Spent] = field(default_factory=list)
    scores: dict[int, Sequence[Score]] = field(default_factory=dict)


class _Going:
    """A run under way."""

    def __init__(
        self,
        request: RunRequest,
        slices: tuple[int, ...],
        frames: tuple[int, ...],
        mask: SamplingMask,
        target: torch.device,
        tell: Tell,
    ) -> None:
        self._request, self._slices, self._frames, self._mask = request, slices, frames, mask
        self._target, self._tell = target, tell
        self._shown_mask = select_frames(mask, frames, request.series.shape[1])
        self._with_reference = request.reference and request.series.fully_sampled
        self._scored = request.metrics if request.series.fully_sampled else ()
        self._notes = series_notes(request.series, mask)
        self.lines: list[_Line] = []

    def prepare(self, index: int, method: MethodRequest) -> None:
        """Make a method ready, with a buffer for all its slices; those it made before in the same way come first in it."""
        series = self._request.series
        try:
            built = build(method, self._target)
            check_serves(built.spec, series)
            check_reference_sequence(method.reference_sequence, built.spec, series, len(self._frames))
            sizes = (len(self._frames), *series.shape[COIL:])
            check_fits(built.spec, built.config, sizes, self._shown_mask.lines, self._target, built.precision)
        except Exception as error:  # noqa: BLE001 - whatever one method cannot do, the others can
            self._fail(index, error)
            return
        earlier = method.earlier if method.earlier is not None and self._continues(method.earlier, built) else None
        kept = [] if earlier is None else [s for s in earlier.slices if s not in self._slices]
        shape = (len(kept) + len(self._slices), len(self._frames), *series.shape[COIL + 1 :])
        line = _Line(index, method, built, np.empty(shape, np.complex64), [], StageRecorder(enabled=self._request.stages))
        if self._with_reference:
            line.references = np.empty(shape, np.complex64)
        if earlier is not None:
            for slice_index in kept:
                at = earlier.slices.index(slice_index)
                line.images[len(line.slices)] = earlier.image[at]
                if line.references is not None:
                    line.references[len(line.slices)] = self._reference(slice_index, Reporter())
                self._score(line, slice_index, earlier.image[at], Reporter())
                line.slices.append(slice_index)
            line.earlier = earlier
        self.lines.append(line)

    def _continues(self, earlier: Reconstruction, built: Built) -> bool:
        """Whether earlier slices were made with the same mask, frames and weights (settings are the caller's to compare)."""
        own = None if built.weights is None else str(built.weights.get("id"))
        same = earlier.method == built.spec.name and earlier.weights == own and earlier.frames == self._frames
        return same and np.array_equal(earlier.mask.lines, self._shown_mask.lines)

    def work(self, slice_index: int, report: Reporter) -> None:
        """Reconstruct one slice with every method that is left."""
        measured = measure(self._request.series, slice_index, self._frames, self._mask, report.part(0.0, MEASURING))
        share = (1.0 - MEASURING) / len(self.lines)
        for position, line in enumerate(tuple(self.lines)):
            part = report.part(MEASURING + position * share, share)
            try:
                self._one(line, measured, part)
            except Cancelled:
                raise
            except Exception as error:  # noqa: BLE001 - whatever one method cannot do, the others can
                self.lines.remove(line)
                self._end(line)
                self._fail(line.index, error)

    def _one(self, line: _Line, measured: Measured, report: Reporter) -> None:
        built, target = line.built, self._target
        with devices.memory_errors(target, built.spec.title), devices.PeakMemory(target) as peak:
            made = reconstruct_slice(built, measured, target, report, line.recorder, line.request.reference_sequence)
        place = len(line.slices)
        line.images[place] = made.image
        if line.references is not None:
            line.references[place] = self._reference(measured.index, report)
        notes = (*made.notes, *self._warnings(line, made.image, measured, place))
        self._score(line, measured.index, made.image, report)
        line.slices.append(measured.index)
        line.spent.append(Spent(measured.index, made.scale, made.seconds, measured.seconds, peak.mib, made.sets, notes))
        self._tell(SliceDone(line.index, measured.index, self._result(line, False), self._scores(line)))

    def _warnings(self, line: _Line, image: Complex, measured: Measured, place: int) -> list[str]:
        """Return what is to be said when zero filling would have been nearer to the fully sampled image."""
        if line.references is None or line.built.spec.name == "zero_filled" or self._shown_mask.lines.all():
            return []
        why = reasons(self._shown_mask, measured.kspace.shape[COIL])
        title = line.built.spec.title
        return worse_than_zero_filling(title, image, measured.kspace, measured.maps, line.references[place], why)

    def _score(self, line: _Line, slice_index: int, image: Complex, report: Reporter) -> None:
        if self._scored:
            truth = self._reference(slice_index, report)
            line.scores[slice_index] = score_slice(image, truth, self._scored, self._request.percentile)

    def _reference(self, slice_index: int, report: Reporter) -> Complex:
        image: Complex = reference_image(self._request.series, [slice_index], self._frames, report)[0]
        return image

    def _scores(self, line: _Line) -> Mapping[tuple[str, str], Score]:
        """Return the scores over all slices, {} when one has none yet."""
        return over_slices([line.scores[s] for s in line.slices]) if all(s in line.scores for s in line.slices) else {}

    def _result(self, line: _Line, whole: bool) -> Reconstruction:
        return finished(
            line.built,
            self._request,
            line.request,
            images=line.images[: len(line.slices)],
            references=None if line.references is None else line.references[: len(line.slices)],
            slices=tuple(line.slices),
            frames=self._frames,
            mask=self._shown_mask,
            target=self._target,
            spent=line.spent,
            earlier=line.earlier,
            notes=self._notes,
            stages=line.recorder.arrays() if whole and line.earlier is None else {},
        )

    def _fail(self, index: int, error: Exception) -> None:
        details = "".join(traceback.format_exception(error))
        # Frames hold the work's arrays alive for as long as the error is shown.
        error = error.with_traceback(None)
        error.__context__ = error.__cause__ = None
        self._tell(MethodFailed(index, error, details))

    def _end(self, line: _Line) -> None:
        if line.spent:
            last = line.spent[-1].slice_index
            made = self._result(line, True)
            made = in_order(made, sorted(made.slices))
            self._tell(SliceDone(line.index, last, made, self._scores(line), finished=True))

    def finish(self) -> None:
        """Tell what every method has made, its slices ascending."""
        for line in self.lines:
            self._end(line)


def in_order(made: Reconstruction, slices: Sequence[int]) -> Reconstruction:
    """Return the result with its slices in this order; itself when they are."""
    if tuple(slices) == made.slices:
        return made
    pick = [made.slices.index(one) for one in slices]
    return replace(
        made,
        image=made.image[pick],
        slices=tuple(slices),
        reference=None if made.reference is None else made.reference[pick],
        times_ms=None if made.times_ms is None else made.times_ms[pick],
        geometry=made.geometry.select(pick),
        stages={name: values[:, pick] for name, values in made.stages.items()},
    )
