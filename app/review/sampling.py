"""From the sampling panel to a mask, its point-spread function, and the zero-filled image that follows the slider."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QFileDialog

from app.controllers.context import Context
from app.document.case import Case
from app.document.results import has_zero_filled
from app.document.state import Changed, Topic
from app.jobs import JobHandle
from app.review.sampling_panel import SamplingPanel
from engine.api.contract import EngineApi
from engine.core.jobs import Reporter
from engine.core.requests import MaskRequest
from engine.core.types import Float, KSpaceSeries, Reconstruction, SamplingMask

# A mask is made this long after the last edit: a dragged slider asks for some ten masks a second, not for hundreds.
_SETTLE_MS = 40


class SamplingController(QObject):
    """Keeps the mask of the current case in step with the panel, and the preview with the mask."""

    def __init__(self, context: Context, panel: SamplingPanel) -> None:
        super().__init__(context.window)
        self._c = context
        self._panel = panel
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self._make)
        # Case, mask and slice of the preview that is being made.
        self._wanted: tuple[str, SamplingMask | None, int] = ("", None, 0)
        #: Number of the edit: all masks of one drag of the slider are one step of undo.
        self._edit = 0
        self._making: JobHandle | None = None
        panel.edit_began.connect(self._begin_edit)
        panel.request_changed.connect(lambda _: self._timer.start())
        panel.file_requested.connect(self.mask_file_dialog)
        panel.set_patterns(context.api.mask_patterns())
        panel.set_request(self._remembered())
        session = context.session
        session.listen(self._on_case, Topic.CURRENT)
        session.listen(self._on_mask, Topic.SAMPLING)
        session.listen(self._on_view, Topic.VIEW)
        session.listen(self._on_results, Topic.RESULTS)
        session.changed.connect(self._on_changed)
        self._on_case()

    @property
    def pending(self) -> bool:
        """Whether an edit waits to become a mask."""
        return self._timer.isActive()

    def underway(self) -> JobHandle | None:
        """Return the job that makes the mask the panel shows, None when it is there; an edit that waits becomes a job now."""
        if self.pending:
            self._timer.stop()
            self._make()
        return None if self._making is None or self._making.done else self._making

    def _begin_edit(self) -> None:
        self._edit += 1

    def stop(self) -> None:
        """Forget an edit that waits (the window closes)."""
        self._timer.stop()

    def _remembered(self) -> MaskRequest:
        get = self._c.settings.get
        pattern = get("sampling/pattern")
        if not self._panel.has_pattern(pattern):
            pattern = "equispaced"
        return MaskRequest(pattern, get("sampling/acceleration"), get("sampling/acs"), get("sampling/seed"))

    # --- mask ----------------------------------------------------------------------------------------------------------

    def _on_case(self) -> None:
        case = self._c.session.current
        series = None if case is None else case.kspace
        self._timer.stop()
        if case is not None and case.saved is not None:
            several = "The results on screen were made with several masks."
            if case.mask is not None and self._panel.has_pattern(case.mask.pattern):
                self._panel.set_request(request_of(case.mask))
            self._panel.set_editable(False, several if case.mask is None else "The mask the result was made with.")
            self._show(case)
            return
        if case is None or series is None:
            self._panel.set_editable(case is None, "" if case is None else "Images have no k-space: simulate coils first.")
            self._panel.show_mask(None, None)
            return
        self._panel.set_limits(series.shape[-2])
        if not series.fully_sampled:
            self._panel.set_editable(False, "Measured with this mask: it is used as it is.")
            if case.mask is None:
                self._c.session.edit(case.key, mask=series.acquisition.mask((case.view.slice_index,)))
            self._show(case)
            self.request_preview()
            return
        self._panel.set_editable(True)
        if case.mask is None:
            if self._panel.from_file():
                # A file's mask is that of its series only.
                self._panel.set_request(self._remembered())
            self._make()
        else:
            if case.request is not None:
                self._panel.set_request(case.request)
            elif case.mask_file:
                self._panel.show_file(Path(case.mask_file).name)
            self._show(case)
            self.request_preview()

    def _on_mask(self) -> None:
        case = self._c.session.current
        if case is not None and case.saved is not None:
            self._on_case()
        else:
            self.request_preview()

    def _on_changed(self, change: Changed) -> None:
        if Topic.SAMPLING in change.topics and (change.undone or change.redone):
            # The panel shows what it was, and a slider that is still held begins another step.
            self._begin_edit()
            self._on_case()

    def set_request(self, request: MaskRequest) -> None:
        """Show a request and make its mask."""
        self._panel.set_request(request)
        self._begin_edit()
        self._make()

    def _make(self) -> None:
        case = self._c.session.current
        if case is None or case.kspace is None or not case.kspace.fully_sampled:
            return
        request = self._panel.request()
        work = partial(_make_mask, self._c.api, request, case.kspace.shape)
        handle = self._c.runner.submit("cpu", "Mask", work, key="mask", quiet=True, priority=20)
        self._making = handle
        handle.succeeded.connect(partial(self._on_made, case.key, self._edit, request))
        handle.failed.connect(self._on_failed)

    def _on_made(self, key: str, edit: int, request: MaskRequest, made: tuple[SamplingMask, Float]) -> None:
        mask, psf = made
        for name in ("pattern", "acceleration", "acs", "seed"):
            self._c.settings.set(f"sampling/{name}", getattr(request, name))
        self._take(key, edit, mask, psf, request=request, mask_file="")

    def _take(self, key: str, edit: int, mask: SamplingMask, psf: Float, **how: Any) -> None:
        """Show a mask and keep it; the first of a series is no edit that could be taken back."""
        case = self._c.session.find(key)
        if case is None:
            return
        if case is self._c.session.current:
            self._panel.show_mask(mask, psf, "")
        text = "" if case.mask is None else "change the sampling"
        self._c.session.edit(key, text, f"{text} {edit}", mask=mask, **how)

    def _on_failed(self, error: BaseException, details: str) -> None:
        # The mask before stays in force; what is wrong stands beside the control that was moved, and in the log.
        notice = self._c.errors.report("Sampling", error, details)
        self._panel.show_note(f"{notice.message}. {notice.hint}")

    def _show(self, case: Case) -> None:
        mask = case.mask
        if mask is None:
            self._panel.show_mask(None, None)
            return
        handle = self._c.runner.submit("cpu", "Mask", partial(_psf, self._c.api, mask), key="mask", quiet=True, priority=20)
        handle.succeeded.connect(partial(self._on_psf, mask))

    def _on_psf(self, mask: SamplingMask, psf: Float) -> None:
        case = self._c.session.current
        if case is not None and case.mask is mask:
            self._panel.show_mask(mask, psf)

    def mask_file_dialog(self) -> None:
        """Ask for a mask file and use it."""
        path, _ = QFileDialog.getOpenFileName(
            self._c.window, "Mask from file", self._c.settings.get("files/folder"), "Masks (*.h5 *.npz *.npy *.mat);;All files (*)"
        )
        if path:
            self.open_mask(path)

    def open_mask(self, path: str) -> None:
        """Use the mask of a file for the current case."""
        case = self._c.session.current
        if case is None or case.kspace is None:
            return
        work = partial(_read_mask, self._c.api, path, case.kspace.shape)
        handle = self._c.runner.submit("io", "Mask from file", work, key="mask")
        self._making = handle
        handle.succeeded.connect(partial(self._on_file, case.key, path))
        handle.failed.connect(partial(self._c.errors.report, "Mask from file"))

    def _on_file(self, key: str, path: str, made: tuple[SamplingMask, Float]) -> None:
        mask, psf = made
        case = self._c.session.current
        if case is not None and case.key == key:
            self._panel.show_file(Path(path).name)
        self._begin_edit()
        self._take(key, self._edit, mask, psf, request=None, mask_file=path)

    # --- preview -------------------------------------------------------------------------------------------------------

    def _on_view(self) -> None:
        case = self._c.session.current
        if case is not None:
            self._panel.view.set_frame(case.view.frame)
        if case is not None and (case.preview is None or case.view.slice_index not in case.preview.slices):
            self.request_preview()

    def _on_results(self) -> None:
        case = self._c.session.current
        if case is not None and case.preview is None:
            self.request_preview()

    def request_preview(self) -> None:
        """Make the zero-filled image of the frame on screen, then of all frames of the slice."""
        case = self._c.session.current
        if case is None or case.kspace is None or case.mask is None or has_zero_filled(case):
            return
        view = case.view
        made = case.preview
        if made is not None and view.slice_index in made.slices and len(made.frames) == case.frames:
            return
        if self._loading_same(case):
            return
        self._submit(case, case.kspace, case.mask, view.slice_index, (view.frame,))

    def _loading_same(self, case: Case) -> bool:
        key, mask, slice_index = self._wanted
        same = key == case.key and mask is case.mask and slice_index == case.view.slice_index
        return same and any(not handle.token.cancelled for handle in self._c.runner.active("preview"))

    def _submit(self, case: Case, series: KSpaceSeries, mask: SamplingMask, slice_index: int, frames: tuple[int, ...]) -> None:
        work = partial(_preview, self._c.api, series, mask, slice_index, frames)
        handle = self._c.runner.submit("cpu", "Zero-filled preview", work, key="preview", quiet=True, priority=10)
        self._wanted = (case.key, mask, slice_index)
        handle.succeeded.connect(partial(self._on_preview, case.key, series, mask, slice_index))
        handle.failed.connect(partial(self._c.errors.report, "Zero-filled preview"))

    def _on_preview(self, key: str, series: KSpaceSeries, mask: SamplingMask, slice_index: int, made: Reconstruction) -> None:
        case = self._c.session.find(key)
        if case is None or case.mask is not mask:
            return
        shown = case is self._c.session.current
        self._c.session.edit(key, preview=made)
        if len(made.frames) < case.frames and shown and case.view.slice_index == slice_index:
            self._submit(case, series, mask, slice_index, tuple(range(case.frames)))


def request_of(mask: SamplingMask) -> MaskRequest:
    """Return the request that a mask was made from, as far as it tells (1 where there is no nominal acceleration)."""
    lines = 0 if mask.acs is None else mask.acs[1] - mask.acs[0]
    return MaskRequest(mask.pattern, mask.nominal_acceleration or 1.0, lines, mask.seed or 0, not mask.is_static)


def _make_mask(api: EngineApi, request: MaskRequest, shape: tuple[int, ...], report: Reporter) -> tuple[SamplingMask, Float]:
    report.check()
    mask = api.make_mask(request, shape)
    return mask, api.point_spread(mask)


def _psf(api: EngineApi, mask: SamplingMask, report: Reporter) -> Float:
    report.check()
    psf: Float = api.point_spread(mask)
    return psf


def _read_mask(api: EngineApi, path: str, shape: tuple[int, ...], report: Reporter) -> tuple[SamplingMask, Float]:
    report.check()
    mask = api.open_mask(path, shape)
    mask.check_fits(shape)
    return mask, api.point_spread(mask)


def _preview(
    api: EngineApi, series: KSpaceSeries, mask: SamplingMask, slice_index: int, frames: tuple[int, ...], report: Reporter
) -> Reconstruction:
    images = []
    for index, frame in enumerate(frames):
        report.step(index, len(frames), "zero-filled")
        images.append(api.preview(series, mask if series.fully_sampled else None, slice_index, frame))
    image = np.stack(images)[None].astype(np.complex64, copy=False)
    return Reconstruction(
        image=image,
        method="zero_filled",
        slices=(slice_index,),
        frames=frames,
        mask=mask,
        kind=series.kind,
        geometry=series.geometry.select((slice_index,)),
        # The quick image is a root sum of squares: said, because its phase pane shows nothing.
        notes=("magnitude only (RSS)",),
    )
