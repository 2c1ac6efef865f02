"""From the session and the view to the panes: one resolve for each change; what the mouse and the player ask for; playing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog

from app.controllers.context import Context
from app.display.cursor import values_at
from app.display.frames import ERROR, REFERENCE, Display
from app.display.state import Component, ErrorMode, ViewState
from app.display.words import number
from app.document.results import frame_duration
from app.document.state import Topic
from app.review.inspector_panel import InspectorPanel
from app.review.panel import ReviewPanel
from app.review.player import DEFAULT_FPS
from app.review.resolve import resolve
from engine.core.errors import InputError
from engine.core.files import replacing
from engine.core.types import Kind

WEIGHTED = (Kind.MOLLI, Kind.T2PREP)
WEIGHTED_FPS = 2.0
GAINS = (1.0, 2.0, 5.0, 10.0, 20.0)
_NEXT_ERROR = {ErrorMode.ABSOLUTE: ErrorMode.SIGNED, ErrorMode.SIGNED: ErrorMode.NONE, ErrorMode.NONE: ErrorMode.ABSOLUTE}


class ReviewController(QObject):
    """Draws, and takes what the panes and the player ask for.

    Signals
    -------
    pointed(words)
        Value under the cursor, for the status bar; "" outside.
    """

    pointed = Signal(str)

    def __init__(self, context: Context, panel: ReviewPanel, inspector: InspectorPanel) -> None:
        super().__init__(context.window)
        self._c = context
        self._panel = panel
        self._inspector = inspector
        self._display = Display()
        self._cursor: tuple[int, int] | None = None
        self._drag = 0
        self._flipping = False
        self._inspector_region = ""
        # Many changes in one turn of the event loop draw once.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.refresh)
        self._connect_session()
        self._connect_views()
        self._on_case()
        self.refresh()

    def _connect_session(self) -> None:
        session = self._c.session
        drawn = (
            Topic.SAMPLING,
            Topic.REFERENCE,
            Topic.REGION,
            Topic.PREVIEW,
            Topic.RESULTS,
            Topic.VIEW,
            Topic.CURRENT,
            Topic.TITLE,
        )
        session.listen(self._later, *drawn)
        session.listen(self._on_case, Topic.CURRENT)
        session.listen(self._show_scores, Topic.RESULTS, Topic.REFERENCE)
        session.listen(self._on_view, Topic.VIEW)
        session.listen(self._show_selected, Topic.SELECTED, Topic.CURRENT)

    def _connect_views(self) -> None:
        grid, player, inspector = self._panel.grid, self._panel.player, self._inspector
        grid.cursorMoved.connect(self._on_cursor)
        grid.cursorLeft.connect(self._on_cursor_left)
        grid.frameRequested.connect(self.step_frame)
        grid.sliceRequested.connect(self.step_slice)
        grid.windowChanged.connect(lambda low, high: self._edit("change the window", window=(low, high)))
        grid.windowReset.connect(self.reset_window)
        grid.viewEdited.connect(lambda words, changes: self._edit(words, **changes))
        grid.dragFinished.connect(self._end_drag)
        grid.paneClicked.connect(self.select)
        player.frameChanged.connect(lambda frame: self._look(frame=frame))
        player.sliceChanged.connect(lambda index: self._look(slice_index=index))
        inspector.region_chosen.connect(lambda name: self._look(score_region=name))
        inspector.percentile_changed.connect(lambda value: self._edit("change the dynamic region", region_percentile=value))
        inspector.percentile_settled.connect(self._end_drag)
        inspector.result_chosen.connect(self.select)
        inspector.copy_requested.connect(self.copy_scores)
        inspector.export_requested.connect(self.export_scores_dialog)

    # --- drawing -------------------------------------------------------------------------------------------------------

    @property
    def view(self) -> ViewState:
        """What is looked at."""
        case = self._c.session.current
        return ViewState() if case is None else case.view

    @property
    def display(self) -> Display:
        """What is on screen."""
        return self._display

    def _later(self) -> None:
        self._timer.start(0)

    def refresh(self) -> None:
        """Resolve and draw now."""
        self._timer.stop()
        self._display = resolve(self._c.session.snapshot(), self.view)
        self._panel.grid.apply(self._display)
        self._panel.player.set_position(self.view.frame, self.view.slice_index)
        self._inspector.values.keep_only(pane.key for pane in self._display.panes)
        if self._cursor is not None:
            self._point(*self._cursor)

    def _on_case(self) -> None:
        case = self._c.session.current
        self._panel.player.pause()
        self._cursor = None
        self._inspector.values.set_values(())
        self._panel.player.setVisible(case is not None)
        if case is None:
            self._panel.player.set_counts(1, 1, None)
        else:
            if not case.seen:
                get = self._c.settings.get
                view = replace(
                    case.view,
                    error_mode=ErrorMode(get("view/error_mode")),
                    # What changes with the inversion or preparation time is contrast, not motion.
                    show_region=get("view/show_region") and case.data.kind not in WEIGHTED,
                    show_profile=get("view/show_profile"),
                )
                self._c.session.edit(case.key, seen=True, view=view)
            self._panel.player.set_counts(case.frames, case.slices, self._c.session.snapshot().frame_ms)
            if case.data.kind in WEIGHTED:
                # Contrasts, not a movement: slow enough to look at each.
                self._panel.player.set_rate("every", WEIGHTED_FPS)
            elif frame_duration(case) is None:
                self._panel.player.set_rate("every", DEFAULT_FPS)
        self._on_view()
        self._show_scores()

    def _on_view(self) -> None:
        view = self.view
        self._inspector.set_region(view.score_region, view.region_percentile)
        if view.score_region != self._inspector_region:
            self._show_scores()

    def _show_scores(self) -> None:
        case = self._c.session.current
        region = self.view.score_region
        self._inspector_region = region
        self._inspector.scores.set_scores(self._c.session.snapshot().results, region)
        self._inspector.set_exportable(bool(case is not None and case.results))
        if case is None:
            self._inspector.set_hint("Open a series to see scores.")
        elif not case.results:
            self._inspector.set_hint("Reconstruct to see scores.")
        elif case.saved is not None and not case.comparable:
            self._inspector.set_hint("No scores: the file holds no reference.")
        elif not case.comparable:
            self._inspector.set_hint("No scores: the series was undersampled when measured, so there is no reference.")
        elif not any(result.scores for result in case.results):
            self._inspector.set_hint("Scores are being computed…")
        else:
            slices = sorted({s for result in case.results for s in result.slices})
            listed = ", ".join(str(s + 1) for s in slices)
            self._inspector.set_hint(f"{'Slice' if len(slices) == 1 else 'Mean over slices'} {listed}, all frames; ★ best")

    # --- looking -------------------------------------------------------------------------------------------------------

    def _look(self, **changes: Any) -> None:
        case = self._c.session.current
        if case is not None:
            self._c.session.edit(case.key, view=replace(case.view, **changes))

    def _edit(self, text: str, **changes: Any) -> None:
        """Change the view so that it can be undone; moves of one drag are one step."""
        case = self._c.session.current
        if case is not None:
            self._c.session.edit(case.key, text, f"{text} {self._drag}", view=replace(case.view, **changes))

    def _end_drag(self) -> None:
        self._drag += 1

    def set_component(self, name: str) -> None:
        """Show magnitude, phase, real, imaginary or kspace."""
        self._look(component=Component(name))

    def cycle_error(self) -> None:
        """Absolute, signed, none."""
        mode = _NEXT_ERROR[self.view.error_mode]
        self._remember("error_mode", str(mode))
        self._look(error_mode=mode)

    def cycle_gain(self) -> None:
        """Take the next scale of the error maps."""
        now = self.view.error_gain
        self._look(error_gain=next((gain for gain in GAINS if gain > now), GAINS[0]))

    def toggle_region(self) -> None:
        """Show or hide the outline of the dynamic region."""
        self._remember("show_region", not self.view.show_region)
        self._look(show_region=not self.view.show_region)

    def toggle_profile(self) -> None:
        """Show or hide the x-t profile."""
        self._remember("show_profile", not self.view.show_profile)
        self._look(show_profile=not self.view.show_profile)

    def _remember(self, name: str, value: Any) -> None:
        self._c.settings.set(f"view/{name}", value)

    def reset_window(self) -> None:
        """Take the reference's window again."""
        self._end_drag()
        self._edit("reset the window", window=None)

    def set_active(self, active: bool) -> None:
        """Stand still while another workspace is on screen."""
        if not active:
            self._panel.player.pause()
            self.set_flip(False)

    def zoom(self, factor: float) -> None:
        """Enlarge all panes, or show more of the images."""
        self._panel.grid.zoom_by(factor)

    def zoom_reset(self) -> None:
        """Show whole images."""
        self._panel.grid.reset_view()

    def rotate(self) -> None:
        """Turn the display by a quarter."""
        self._end_drag()
        self._edit("rotate", quarter_turns=(self.view.quarter_turns + 1) % 4)

    def mirror(self) -> None:
        """Mirror the display."""
        self._end_drag()
        self._edit("mirror", flipped=not self.view.flipped)

    def select(self, key: str) -> None:
        """Make a pane the selected one."""
        case = self._c.session.current
        if case is not None:
            self._c.session.edit(case.key, selected=key)

    def _show_selected(self) -> None:
        self._panel.grid.set_selected(self._selected)

    @property
    def _selected(self) -> str:
        case = self._c.session.current
        return "" if case is None else case.selected

    def toggle_flip(self) -> None:
        """Flip, or back."""
        self.set_flip(not self._flipping)

    def set_flip(self, on: bool) -> None:
        """Show the reference in the place of the selected pane (of the last one when none is selected), or end that."""
        keys = [pane.key for pane in self._display.panes]
        others = [key for key in keys if key != REFERENCE]
        if not on or not others or REFERENCE not in keys:
            self._flipping = False
            self._panel.grid.flip("", "")
            return
        self._flipping = True
        selected = self._selected
        place = selected if selected in keys else others[-1]
        self._panel.grid.flip(place, others[-1] if place == REFERENCE else REFERENCE)

    # --- cursor --------------------------------------------------------------------------------------------------------

    def _on_cursor(self, x: int, y: int) -> None:
        self._cursor = (x, y)
        self._point(x, y)

    def _on_cursor_left(self) -> None:
        self._cursor = None
        self._inspector.values.set_values(())
        self._inspector.set_place("outside")
        self.pointed.emit("")

    def _point(self, x: int, y: int) -> None:
        values = values_at(self._display, x, y)
        self._inspector.values.set_values(values)
        self._inspector.set_place(f"x {x}  y {y}")
        under = self._panel.grid.pointed
        found = next((value for value in values if under is None or value.key == under.key), None)
        on_error = under is not None and under.row == ERROR
        value = None if found is None else found.error if on_error else found.value
        words = "no picture here" if found is None or value is None else f"{found.title}{' error' * on_error} {number(value, 4)}"
        self.pointed.emit(f"x {x}  y {y}  frame {self._display.frame + 1}: {words}")

    # --- playing -------------------------------------------------------------------------------------------------------

    def toggle_play(self) -> None:
        """Play or pause."""
        self._panel.player.toggle()

    def step_frame(self, by: int) -> None:
        """Go on by frames."""
        self._panel.player.step(by)

    def step_slice(self, by: int) -> None:
        """Go on by slices."""
        self._panel.player.step_slice(by)

    def stop(self) -> None:
        """Stand still (the window closes)."""
        self._panel.player.pause()
        self._timer.stop()

    # --- scores as a file ----------------------------------------------------------------------------------------------

    def copy_scores(self) -> None:
        """Put the scores on the clipboard."""
        self._inspector.scores.copy()
        self._c.say("The scores are on the clipboard, as CSV")

    def export_scores_dialog(self) -> None:
        """Ask for a file and write the scores."""
        case = self._c.session.current
        if case is None or not case.results:
            self._c.errors.report("Export scores", InputError("there are no scores yet", "Reconstruct first (Ctrl+Return)."))
            return
        start = Path(self._c.settings.get("files/folder") or ".") / "scores.csv"
        path, _ = QFileDialog.getSaveFileName(self._c.window, "Export scores", str(start), "CSV (*.csv)")
        if path:
            self.export_scores(path if Path(path).suffix else path + ".csv")

    def export_scores(self, path: str) -> None:
        """Write the scores in the background."""
        text = self._inspector.scores.to_csv()
        handle = self._c.runner.submit("io", "Export scores", lambda _: _write(path, text))
        handle.succeeded.connect(lambda _: self._c.say(f"Scores were written to {path}"))
        handle.failed.connect(partial(self._c.errors.report, "Export scores"))


def _write(path: str, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
