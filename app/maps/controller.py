"""Maps: from the maps and the view of them to the panes; scales; the clicked pixel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication

from app.controllers.context import Context
from app.controllers.outputs import ask_output
from app.controllers.panes import PaneController
from app.display.cursor import values_at
from app.display.curves import CurveEntry, to_csv
from app.display.frames import ERROR, REFERENCE, Display
from app.display.map_state import FitOutput, MapTool, MapView
from app.display.marks import Mark
from app.display.relaxation_colors import check_range
from app.document.case import Case
from app.document.state import Topic
from app.maps.layers import has_layer, quantity
from app.maps.panel import MapsPanel
from app.maps.pixel_panel import PixelPanel
from app.maps.resolve import MapDisplay, resolve_maps
from app.maps.snapshot import ExtraMap, MapEntry, MapSnapshot
from app.maps.sources import map_snapshot, why_no_maps
from app.maps.words import value_text
from engine.api.contract import EngineApi
from engine.core.errors import EngineError, InputError
from engine.core.jobs import Reporter
from engine.core.records.entries import Content

READY_HINT = "Press Fit maps: T1 or T2 of every pixel, with its curve, spread and residual."
DRAWN = (Topic.CURRENT, Topic.VIEW, Topic.MAPS, Topic.MAP_VIEW, Topic.FIT, Topic.RESULTS, Topic.REFERENCE, Topic.DRAWINGS)
FITTING_HINT = "Fitting…"


class MapsController(PaneController):
    """Draws maps, and takes what panes, strip and colour bars ask for.

    Signals
    -------
    clicked(x, y), handle_moved(key, index, x, y), handle_released()
        A point of a map, in data pixels, was clicked with a tool that draws; a point of a drawing was dragged, and let go.
    inspected()
        A pixel was clicked (the panel of its curve should be seen).
    """

    clicked = Signal(float, float)
    handle_moved = Signal(str, int, float, float)
    handle_released = Signal()
    inspected = Signal()
    SELECTED = "map_selected"

    def __init__(self, context: Context, panel: MapsPanel, pixel: PixelPanel) -> None:
        super().__init__(context, panel.grid, Topic.MAP_SELECTED)
        self._panel, self._pixel = panel, pixel
        self._shown = MapDisplay(Display())
        self._snapshot = MapSnapshot()
        self._visible: tuple[MapEntry, ...] = ()  # those before motion correction while it is flipped
        self._curves: tuple[CurveEntry, ...] = ()
        self._asked: tuple[Any, ...] = ()
        self._borders: tuple[Mark, ...] = ()
        self._flipped_before = False
        self._extras: dict[tuple[str, str], ExtraMap] = {}
        context.session.listen(self._later, *DRAWN)
        self._connect_panel()
        self._show_selected()

    def _connect_panel(self) -> None:
        panel, grid = self._panel, self._grid
        panel.layer_chosen.connect(self.set_layer)
        panel.difference_toggled.connect(lambda on: self._look_at(difference=on))
        panel.tool_chosen.connect(self.set_tool)
        panel.slice_chosen.connect(self.set_slice)
        for bar in (panel.scale_bar, panel.difference_bar):
            bar.range_changed.connect(self.set_range)
            bar.drag_finished.connect(self.end_drag)
            bar.reset_requested.connect(self.reset_range)
        grid.pixelClicked.connect(self._on_pixel)
        grid.pointClicked.connect(lambda _, x, y: self.clicked.emit(x, y))
        grid.handleMoved.connect(self.handle_moved)
        grid.dragFinished.connect(self.handle_released)
        self._pixel.copy_requested.connect(self.copy_pixel)

    # --- drawing -------------------------------------------------------------------------------------------------------

    @property
    def display(self) -> MapDisplay:
        """What is on screen."""
        return self._shown

    @property
    def snapshot(self) -> MapSnapshot:
        """The maps on screen."""
        return self._snapshot

    @property
    def curves(self) -> tuple[CurveEntry, ...]:
        """The fits of the clicked pixel."""
        return self._curves

    def _on_case(self) -> None:
        super()._on_case()
        if not self._active:
            self._snapshot, self._visible, self._shown = MapSnapshot(), (), MapDisplay(Display())
        alive = {case.key for case in self._c.session.cases}
        self._extras = {key: made for key, made in self._extras.items() if key[0] in alive}

    def draw(self) -> None:
        """Resolve the session and show it."""
        case, panel = self._c.session.current, self._panel
        hint = why_no_maps(case) or READY_HINT
        self._snapshot = replace(map_snapshot(case, hint), borders=self._borders, extras=self._extras_of(case))
        if case is None or not self._snapshot.entries:
            self._shown = MapDisplay(Display(hint=hint))
            self._grid.apply(self._shown.display)
            panel.set_empty(True)
            self._show_pixel()
            return
        view = case.map_view
        shown = without_correction(self._snapshot) if self._flipped_before else self._snapshot
        self._visible = shown.entries
        self._shown = resolve_maps(shown, view, case.view, self._snapshot.entries)
        panel.set_empty(False)
        self._grid.apply(self._shown.display)
        panel.scale_bar.set_scale(self._shown.scale)
        panel.difference_bar.set_scale(self._shown.lower)
        first = self._snapshot.entries[0].maps
        layers = {layer: "" for layer in FitOutput if any(has_layer(e.maps, layer) for e in self._snapshot.entries)}
        comparable = self._snapshot.entries[0].key == REFERENCE and len(self._snapshot.entries) > 1
        panel.set_able(layers, comparable, quantity(first))
        panel.set_view(view.layer, view.difference, view.tool)
        self._grid.set_tool("inspect" if view.tool is MapTool.INSPECT else "point")
        panel.set_slices(self._snapshot.slices, self._shown.display.slice_index)
        self._show_pixel()

    def set_borders(self, borders: tuple[Mark, ...]) -> None:
        """Draw other borders of segments."""
        if borders != self._borders:
            self._borders = borders
            self._later()

    def set_extra(self, case_key: str, made: ExtraMap | None, key: str) -> None:
        """Show a map made from others beside those of a series, or take it away."""
        if made is None:
            self._extras.pop((case_key, key), None)
        else:
            self._extras[case_key, key] = made
        self._later()

    def has_extra(self, case_key: str, key: str) -> bool:
        """Whether a map made from others is shown."""
        return (case_key, key) in self._extras

    def _extras_of(self, case: Case | None) -> tuple[ExtraMap, ...]:
        return () if case is None else tuple(made for (key, _), made in self._extras.items() if key == case.key)

    # --- looking -------------------------------------------------------------------------------------------------------

    def _look_at(self, **changes: Any) -> None:
        case = self._c.session.current
        if case is not None:
            self._c.session.edit(case.key, map_view=replace(case.map_view, **changes))

    @property
    def view(self) -> MapView:
        """What is looked at."""
        case = self._c.session.current
        return MapView() if case is None else case.map_view

    def set_layer(self, layer: str | FitOutput) -> None:
        """Show value, sd, r2, residual or apparent."""
        wanted = FitOutput(layer)
        if any(has_layer(entry.maps, wanted) for entry in self._snapshot.entries):
            self._look_at(layer=wanted)
        elif self._snapshot.entries:
            self._c.say("The model has no such map")

    def toggle_difference(self) -> None:
        """Show or hide the row of differences from the reference's map."""
        if self._panel.difference.isEnabled():
            self._look_at(difference=not self.view.difference)
        else:
            self._c.say("Differences need the reference's map and another one")

    def set_tool(self, tool: str | MapTool) -> None:
        """Choose what a click does."""
        self._look_at(tool=MapTool(tool))

    def toggle_marks(self) -> None:
        """Show or hide contours."""
        self._look_at(marks=not self.view.marks)

    def set_flip(self, on: bool) -> None:
        """Show maps before motion correction, else the first map in the place of the selected (or last) one; or end that."""
        if self._flipped_before or (on and any(entry.before is not None for entry in self._snapshot.entries)):
            self._flipped_before = on
            self.refresh()
            return
        super().set_flip(on)

    def flip_keys(self) -> tuple[str, ...]:
        """Return the sources of the maps in their order."""
        return tuple(entry.key for entry in self._snapshot.entries)

    # --- range ---------------------------------------------------------------------------------------------------------

    def set_window(self, low: float, high: float) -> None:
        """Take another range for the maps on screen."""
        scale = self._shown.scale
        if scale is not None:
            # A time below zero means nothing: the range ends there.
            self.set_range(scale.key, max(0.0, low), high)

    def set_range(self, key: str, low: float, high: float) -> None:
        """Set the ends of a scale; moves of one drag are one step of undo."""
        case = self._c.session.current
        if case is None:
            return
        try:
            if key in ("T1", "T2", "T1*"):
                check_range(low, high)
            elif not low < high:
                raise InputError(f"the range is empty (expected low < high / found {low:g} to {high:g})", "Give two numbers.")
        except EngineError as error:
            self._c.errors.report("Range", error)
            self._later_again()
            return
        if case.map_view.ranges.get(key) != (low, high):
            ranges = {**case.map_view.ranges, key: (low, high)}
            self._set_ranges(case, "change the range", ranges)

    def _set_ranges(self, case: Case, text: str, ranges: Mapping[str, tuple[float, float]]) -> None:
        view = replace(case.map_view, ranges=ranges)
        self._c.session.edit(case.key, text, f"{text} {self._drag}", map_view=view)

    def _later_again(self) -> None:
        # The boxes hold what was typed: show what is true.
        for bar in (self._panel.scale_bar, self._panel.difference_bar):
            scale, bar.bar.scale = bar.bar.scale, None
            bar.set_scale(scale)

    def reset_range(self, key: str) -> None:
        """Let a scale follow the data again."""
        case = self._c.session.current
        self.end_drag()
        if case is not None and key in case.map_view.ranges:
            ranges = {name: ends for name, ends in case.map_view.ranges.items() if name != key}
            self._set_ranges(case, "reset the range", ranges)
            self.end_drag()

    def reset_window(self) -> None:
        """Let the scale of the maps follow the data again."""
        if self._shown.scale is not None:
            self.reset_range(self._shown.scale.key)

    # --- cursor --------------------------------------------------------------------------------------------------------

    def tell_outside(self) -> None:
        """Tell nothing."""
        super().tell_outside()
        self._panel.said.setText("")

    def tell(self, x: int, y: int) -> None:
        """Tell the values of all maps."""
        shown = self._shown
        if shown.scale is None:
            return
        values = values_at(shown.display, x, y)
        own = {made.key: made for made in self._snapshot.extras}
        words = {}
        for value in values:
            made = own.get(value.key)
            text = value_text(value.value, shown.scale) if made is None else _extra_text(value.value, made)
            if value.error is not None and shown.lower is not None and made is None:
                text += f" (Δ {value_text(value.error, shown.lower)})"
            words[value.key] = f"{value.title} {text}"
        self._panel.said.setText("   ".join(words.values()))
        under = self._grid.pointed
        found = next((v for v in values if under is None or v.key == under.key), None)
        if found is None or found.key in own:
            self.pointed.emit(f"x {x}  y {y}" + (f": {words[found.key]}" if found is not None else ""))
            return
        lower = shown.lower if under is not None and under.row == ERROR else None
        number, scale = (found.value, shown.scale) if lower is None else (found.error, lower)
        self.pointed.emit(f"x {x}  y {y}: {found.title} {scale.label} {value_text(math.nan if number is None else number, scale)}")

    # --- the clicked pixel ---------------------------------------------------------------------------------------------

    def _on_pixel(self, _: str, x: int, y: int) -> None:
        self._look_at(pixel=(x, y))
        self.inspected.emit()

    def _show_pixel(self) -> None:
        """Fit the clicked pixel for every map on screen, in the background, when it is another one than before."""
        case = self._c.session.current
        pixel = None if case is None else case.map_view.pixel
        if case is None or pixel is None or not self._snapshot.entries:
            self._asked = ()
            self._set_curves((), "Click a map to see the curve of a pixel.")
            return
        at = self._shown.display.slice_index
        entries = tuple(e for e in self._visible if at in e.maps.slices and _inside(e, *pixel))
        asked = (pixel, at, *((e.key, e.title, e.stamp) for e in entries))
        if asked == self._asked:
            return
        self._asked = asked
        if not entries:
            self._set_curves((), f"Pixel x {pixel[0]}, y {pixel[1]} is not fitted in this slice.")
            return
        work = partial(_curves, self._c.api, entries, at, *pixel)
        handle = self._c.runner.submit("io", "Curve", work, key="maps.pixel", quiet=True, priority=30)
        handle.succeeded.connect(lambda made: self._set_curves(made, f"Pixel x {pixel[0]}, y {pixel[1]}, slice {at + 1}"))
        handle.failed.connect(partial(self._c.errors.report, "Curve"))

    def _set_curves(self, curves: tuple[CurveEntry, ...], place: str) -> None:
        if curves or self._curves or self._pixel.place.text() != place:
            self._curves = curves
            self._pixel.set_entries(curves, place)

    def copy_pixel(self) -> None:
        """Put samples, residuals and parameters of the clicked pixel on the clipboard."""
        pixel = self.view.pixel
        if pixel is None or not self._curves:
            self._c.say("Click a map first")
            return
        QGuiApplication.clipboard().setText(to_csv(self._curves, *pixel, self._shown.display.slice_index))
        self._c.say("The pixel is on the clipboard, as CSV")

    # --- files ---------------------------------------------------------------------------------------------------------

    def save_dialog(self) -> None:
        """Ask where to write the selected map (the first one when none is selected)."""
        if not self._snapshot.entries:
            self._c.errors.report("Save maps", InputError("there is no map to save", "Fit first (Ctrl+Return)."))
            return
        key = self.selected
        entry = next((e for e in self._snapshot.entries if e.key == key), self._snapshot.entries[0])
        path = ask_output(self._c, f"Save the maps of {entry.title}", f"{quantity(entry.maps).lower()}map", Content.MAPS)
        if path:
            self.save(entry, path)

    def save(self, entry: MapEntry, path: str) -> None:
        """Write maps in the background."""
        handle = self._c.runner.submit("io", "Save maps", lambda _: self._c.api.save_maps(entry.maps, path))
        handle.succeeded.connect(lambda _: self._c.say(f"The maps of {entry.title} were written to {path}"))
        handle.failed.connect(partial(self._c.errors.report, "Save maps"))


def without_correction(snapshot: MapSnapshot) -> MapSnapshot:
    """Return the maps as they were before motion correction, where there was one."""
    entries = tuple(
        entry if entry.before is None else replace(entry, maps=entry.before, title=f"{entry.title}, uncorrected")
        for entry in snapshot.entries
    )
    return replace(snapshot, entries=entries)


def _extra_text(value: float, made: ExtraMap) -> str:
    return f"{value:.1f} {made.unit}".rstrip() if math.isfinite(value) else "no value"


def _inside(entry: MapEntry, x: int, y: int) -> bool:
    height, width = entry.maps.main.values.shape[-2:]
    return bool(0 <= x < width and 0 <= y < height)


def _curves(
    api: EngineApi, entries: tuple[MapEntry, ...], slice_index: int, x: int, y: int, report: Reporter
) -> tuple[CurveEntry, ...]:
    made = []
    for entry in entries:
        report.check()
        made.append(CurveEntry(entry.key, entry.title, api.fit_pixel(entry.maps, entry.maps.slices.index(slice_index), y, x)))
    return tuple(made)
