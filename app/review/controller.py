"""Review: from the session and the view to the panes; what player and inspector ask for; scores as a file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from PySide6.QtWidgets import QFileDialog

from app.controllers.context import Context
from app.controllers.panes import PaneController
from app.display.cursor import values_at
from app.display.frames import ERROR, REFERENCE, Display
from app.display.state import Component, ErrorMode
from app.display.words import number
from app.document.results import frame_duration
from app.document.state import Topic
from app.review.inspector_panel import InspectorPanel
from app.review.panel import ReviewPanel
from app.review.player import DEFAULT_FPS
from app.review.resolve import resolve
from app.views.tools.contract import TOOLS
from engine.core.errors import InputError
from engine.core.files import replacing
from engine.core.types import Kind

WEIGHTED = (Kind.MOLLI, Kind.T2PREP)
WEIGHTED_FPS = 2.0
READABLE_S = 0.2
"""How long numbers stand still while a cine plays."""
GAINS = (1.0, 2.0, 5.0, 10.0, 20.0)
DRAWN = (
    Topic.SAMPLING, Topic.REFERENCE, Topic.REGION, Topic.PREVIEW, Topic.RESULTS, Topic.VIEW, Topic.CURRENT, Topic.TITLE,
)  # fmt: skip
_NEXT_ERROR = {ErrorMode.ABSOLUTE: ErrorMode.SIGNED, ErrorMode.SIGNED: ErrorMode.NONE, ErrorMode.NONE: ErrorMode.ABSOLUTE}


class ReviewController(PaneController):
    """Draws images, errors and profiles, and takes what player and inspector ask for."""

    def __init__(self, context: Context, panel: ReviewPanel, inspector: InspectorPanel) -> None:
        super().__init__(context, panel.grid, Topic.SELECTED)
        self._panel = panel
        self._inspector = inspector
        self._display = Display()
        self._inspector_region = ""
        self._told = 0.0  # when the table of the cursor was written last
        session = context.session
        session.listen(self._later, *DRAWN)
        session.listen(self._show_scores, Topic.RESULTS, Topic.REFERENCE)
        session.listen(self._on_view, Topic.VIEW)
        self._connect_panels()
        self._on_case()
        self.set_active(True)

    def _connect_panels(self) -> None:
        player, inspector = self._panel.player, self._inspector
        player.frameChanged.connect(lambda frame: self.look(frame=frame))
        player.playingChanged.connect(lambda on: None if on else self._later())
        player.sliceChanged.connect(lambda index: self.look(slice_index=index))
        inspector.region_chosen.connect(lambda name: self.look(score_region=name))
        inspector.percentile_changed.connect(lambda value: self.edit("change the dynamic region", region_percentile=value))
        inspector.percentile_settled.connect(self.end_drag)
        inspector.result_chosen.connect(self.select)
        inspector.copy_requested.connect(self.copy_scores)
        inspector.export_requested.connect(self.export_scores_dialog)

    # --- drawing -------------------------------------------------------------------------------------------------------

    @property
    def display(self) -> Display:
        """What is on screen."""
        return self._display

    def draw(self) -> None:
        """Resolve the session and show it."""
        view = self.looking
        self._display = resolve(self._c.session.snapshot(), view)
        self._grid.apply(self._display)
        self._panel.player.set_position(view.frame, view.slice_index)
        self._inspector.values.keep_only(pane.key for pane in self._display.panes)

    def _on_case(self) -> None:
        super()._on_case()
        case = self._c.session.current
        self._panel.player.pause()
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
        view = self.looking
        self._grid.set_tool(view.tool if view.tool in TOOLS.names() else "pan")  # a session file of another version may know more
        self._inspector.set_region(view.score_region, view.region_percentile)
        if view.score_region != self._inspector_region:
            self._show_scores()

    def _show_scores(self) -> None:
        case = self._c.session.current
        region = self.looking.score_region
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

    def set_component(self, name: str) -> None:
        """Show magnitude, phase, real, imaginary or kspace."""
        self.look(component=Component(name))

    def cycle_error(self) -> None:
        """Absolute, signed, none."""
        mode = _NEXT_ERROR[self.looking.error_mode]
        self._remember("error_mode", str(mode))
        self.look(error_mode=mode)

    def cycle_gain(self) -> None:
        """Take the next scale of the error maps."""
        now = self.looking.error_gain
        self.look(error_gain=next((gain for gain in GAINS if gain > now), GAINS[0]))

    def toggle_region(self) -> None:
        """Show or hide the outline of the dynamic region."""
        self._remember("show_region", not self.looking.show_region)
        self.look(show_region=not self.looking.show_region)

    def toggle_profile(self) -> None:
        """Show or hide the x-t profile."""
        self._remember("show_profile", not self.looking.show_profile)
        self.look(show_profile=not self.looking.show_profile)

    def _remember(self, name: str, value: Any) -> None:
        self._c.settings.set(f"view/{name}", value)

    def toggle_divider(self) -> None:
        """Show or hide the divider: left of it the results show the reference."""
        if self.looking.divider is None and self._display.pane(REFERENCE) is None:
            self._c.say("The divider needs a reference")
            return
        self.end_drag()
        self.edit("show the divider", divider=0.5 if self.looking.divider is None else None)

    def set_tool(self, name: str) -> None:
        """Give the left button of the mouse to a tool."""
        self.look(tool=name)

    def set_window(self, low: float, high: float) -> None:
        """Take another window for all pictures."""
        self.edit("change the window", window=(low, high))

    def reset_window(self) -> None:
        """Take the reference's window again."""
        self.end_drag()
        self.edit("reset the window", window=None)

    def set_active(self, active: bool) -> None:
        """Stand still while another workspace is on screen."""
        if not active:
            self._panel.player.pause()
        super().set_active(active)

    def flip_keys(self) -> tuple[str, ...]:
        """Return the reference, then the results; () without a reference."""
        keys = tuple(pane.key for pane in self._display.panes)
        return keys if REFERENCE in keys else ()

    # --- cursor --------------------------------------------------------------------------------------------------------

    def tell_outside(self) -> None:
        """Show dashes."""
        super().tell_outside()
        self._inspector.values.set_values(())
        self._inspector.set_place("outside")

    def tell(self, x: int, y: int) -> None:
        """Show the values of all panes."""
        values = values_at(self._display, x, y)
        # Nobody reads numbers that change thirty times a second, and a table costs as much to draw as the pictures.
        if not self._panel.player.is_playing() or perf_counter() - self._told >= READABLE_S:
            self._told = perf_counter()
            self._inspector.values.set_values(values)
        self._inspector.set_place(f"x {x}  y {y}")
        under = self._grid.pointed
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

    def stop(self) -> None:
        """Stand still (the window closes)."""
        self._panel.player.pause()
        super().stop()

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
