"""Drawing with clicks, and the statistics of what was drawn: segments, regions, bullseye, CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from app.controllers.context import Context
from app.controllers.refreshing import RefreshingController
from app.display.edges import segments as edges
from app.display.frames import REFERENCE
from app.display.map_state import Drawing, MapTool
from app.display.marks import Mark, MarkKind
from app.display.shapes import Point, smooth
from app.document.case import Case
from app.document.state import Topic
from app.maps import segments as regions
from app.maps.contour import in_order, rows_and_columns
from app.maps.controller import MapsController
from app.maps.layers import quantity
from app.maps.regions_panel import RegionsPanel
from app.maps.snapshot import MapEntry
from engine.api.contract import EngineApi
from engine.core.errors import EngineError, InputError
from engine.core.files import replacing
from engine.core.jobs import Reporter
from engine.core.records.relaxometry import SiteReference
from engine.core.types import Bool

BORDER_COLOR = "#d7dbe0"
_NAMES = {
    MapTool.ENDO: "endocardial contour",
    MapTool.EPI: "epicardial contour",
    MapTool.ROI: "region",
    MapTool.BLOOD: "blood region",
}
_SORTED = (MapTool.ENDO, MapTool.EPI)
#: Numbers under which regions that are no AHA segments go to the engine.
_OTHERS = {101: regions.ROI, 102: regions.BLOOD, 103: regions.MYOCARDIUM}


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was found in the drawn regions.

    ``rows`` of all maps and slices; ``means`` of each segment over all slices, by the key of the maps; ``masks`` of the segments of
    each slice.
    """

    rows: tuple[regions.RegionRow, ...] = ()
    means: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    masks: Mapping[int, Mapping[int, Bool]] | None = None


class MapsRegionsController(RefreshingController):
    """Takes points of the drawing tools, and keeps the numbers in step with drawing and maps.

    Signals
    -------
    changed()
        There are other numbers.
    drawn()
        A point was drawn (the panel should be seen).
    """

    changed = Signal()
    drawn = Signal()

    def __init__(self, context: Context, panel: RegionsPanel, maps: MapsController) -> None:
        super().__init__(context.window)
        self._c, self._panel, self._maps = context, panel, maps
        self.measured = Measured()
        self._asked: tuple[Any, ...] = ()
        self._method = REFERENCE
        self._drag = 1
        self._sites: tuple[SiteReference, ...] = ()
        self._site = ""
        self._sites_known = False
        session = context.session
        session.listen(self._later, Topic.DRAWINGS, Topic.MAPS, Topic.CURRENT, Topic.VIEW, Topic.FIT, Topic.CASES)
        maps.clicked.connect(self.add_point)
        maps.handle_moved.connect(self.move_point)
        maps.handle_released.connect(self._end_drag)
        panel.undo_point_requested.connect(self.undo_point)
        panel.clear_requested.connect(self.clear)
        panel.copy_slices_requested.connect(self.copy_to_slices)
        panel.copy_series_requested.connect(self.copy_to_series_dialog)
        panel.level_chosen.connect(lambda name: self._edit("change the level", level=name))
        panel.direction_toggled.connect(lambda on: self._edit("change the direction", clockwise=on))
        panel.method_chosen.connect(self._on_method)
        panel.site_chosen.connect(self._on_site)
        panel.sites_requested.connect(self.sites_dialog)
        panel.copy_requested.connect(self.copy)
        panel.export_requested.connect(self.export_dialog)

    # --- life ----------------------------------------------------------------------------------------------------------

    def set_active(self, active: bool) -> None:
        """Say whether the workspace is on screen."""
        super().set_active(active)
        if active and not self._sites_known:
            self._sites_known = True
            handle = self._c.runner.submit("io", "Site references", lambda _: self._c.api.site_references(), quiet=True)
            handle.succeeded.connect(self._set_sites)
            handle.failed.connect(partial(self._c.errors.report, "Site references"))

    def refresh(self) -> None:
        """Show what was drawn, and count again when maps or drawing are others."""
        case = self._c.session.current
        entries = self._maps.snapshot.entries
        drawing = self._drawing(case)
        others = case is not None and len(self._c.session.cases) > 1
        self._panel.set_drawing(drawing, 1 if case is None else case.slices, others)
        self._panel.set_methods([(entry.key, entry.title) for entry in entries], self._method)
        asked = () if case is None else (case.key, tuple(sorted(case.drawings.items())), *((e.key, e.stamp) for e in entries))
        if asked == self._asked:
            self._show()
            return
        self._asked = asked
        if case is None or not case.drawings or not entries:
            self._on_measured(asked, Measured())
            return
        work = partial(_statistics, self._c.api, entries, dict(case.drawings))
        handle = self._c.runner.submit("io", "Regions", work, key="maps.regions", quiet=True, priority=15)
        handle.succeeded.connect(partial(self._on_measured, asked))
        handle.failed.connect(partial(self._c.errors.report, "Regions"))

    def _on_measured(self, asked: tuple[Any, ...], found: Measured) -> None:
        if asked == self._asked:
            self.measured = found
            self._show()
            self.changed.emit()

    def _show(self) -> None:
        case = self._c.session.current
        at = -1 if case is None else case.view.slice_index
        keys = [entry.key for entry in self._maps.snapshot.entries]
        key = self._method if self._method in keys else next(iter(keys), "")
        mine = [row for row in self.measured.rows if row.key == key]
        self._panel.model.set_rows(self._scored([row for row in mine if row.slice_index == at]))
        self._panel.bullseye.set_values(self.measured.means.get(key, {}), self._maps.display.scale)
        self._panel.set_exportable(bool(self.measured.rows))
        self._maps.set_borders(_borders((self.measured.masks or {}).get(at, {})))

    def _drawing(self, case: Case | None) -> Drawing:
        return Drawing() if case is None else case.drawings.get(case.view.slice_index, Drawing())

    # --- drawing -------------------------------------------------------------------------------------------------------

    def add_point(self, x: float, y: float) -> None:
        """Add a point with the chosen tool."""
        case = self._c.session.current
        if case is None:
            return
        tool, drawing = case.map_view.tool, self._drawing(case)
        if tool is MapTool.INSERTION:
            self._edit("set the RV insertion", insertion=(x, y))
        elif tool in _NAMES:
            points = (*getattr(drawing, tool), (x, y))
            self._edit(f"draw the {_NAMES[tool]}", 0, **{str(tool): in_order(points) if tool in _SORTED else points})
        self.drawn.emit()

    def move_point(self, key: str, index: int, x: float, y: float) -> None:
        """Move a point; moves of one drag are one step of undo."""
        drawing = self._drawing(self._c.session.current)
        if key == MapTool.INSERTION:
            self._edit("move the RV insertion", self._drag, insertion=(x, y))
            return
        points = list(getattr(drawing, key))
        if index < len(points):
            points[index] = (x, y)
            self._edit(f"move the {_NAMES[MapTool(key)]}", self._drag, **{key: tuple(points)})

    def _end_drag(self) -> None:
        self._drag += 1

    def undo_point(self) -> None:
        """Take the last point back: the last edit of the drawing."""
        case = self._c.session.current
        last = self._c.session.history.undo_step
        if last is not None and last.topics == {Topic.DRAWINGS}:
            self._c.session.undo()
            return
        if case is None or self._drawing(case).empty:
            self._c.say("Nothing was drawn on this slice")
            return
        tool, drawing = case.map_view.tool, self._drawing(case)
        if tool is MapTool.INSERTION:
            self._edit("remove the RV insertion", insertion=None)
        elif tool in _NAMES and getattr(drawing, tool):
            self._edit("remove a point", 0, **{str(tool): getattr(drawing, tool)[:-1]})

    def clear(self) -> None:
        """Erase what was drawn on this slice; undo brings it back."""
        case = self._c.session.current
        if case is not None and not self._drawing(case).empty:
            self._draw(case, "erase the drawing", {case.view.slice_index: Drawing()})

    def copy_to_slices(self) -> None:
        """Draw the same on all slices; levels stay as they are."""
        case = self._c.session.current
        if case is None or self._drawing(case).empty:
            return
        drawing = self._drawing(case)
        levels = {index: case.drawings.get(index, drawing).level for index in range(case.slices)}
        changes = {index: replace(drawing, level=levels[index]) for index in range(case.slices)}
        self._draw(case, "draw on all slices", changes)

    def copy_to_series_dialog(self) -> None:
        """Ask which open series gets the same drawing."""
        from app.maps.choose_dialog import ChooseDialog

        case = self._c.session.current
        others = [other for other in self._c.session.cases if case is None or other.key != case.key]
        if case is None or not others:
            return
        words = "What was drawn on the slice on screen is put on the slice of the same number, or the first."
        dialog = ChooseDialog("Copy the drawing", words, "Copy", [(o.title, o.key) for o in others], "copy_drawing", self._c.window)
        dialog.accepted.connect(lambda: self.copy_to_series(case, dialog.chosen()))
        dialog.open()

    def copy_to_series(self, case: Case, key: str) -> None:
        """Put what was drawn on the slice on screen of ``case`` on another series."""
        other = self._c.session.find(key)
        if other is None:
            return
        if other.data.shape[-2:] != case.data.shape[-2:]:
            error = InputError(
                f"the drawing does not fit {other.title} (expected {_size(other)} pixels / found {_size(case)})",
                "Draw it there, or open series of one matrix size.",
            )
            self._c.errors.report("Copy the drawing", error)
            return
        index = min(case.view.slice_index, other.slices - 1)
        self._draw(other, f"draw on {other.title}", {index: self._drawing(case)})
        self._c.say(f"The drawing is on slice {index + 1} of {other.title}")

    def _edit(self, text: str, drag: int = 0, **changes: Any) -> None:
        case = self._c.session.current
        if case is None:
            return
        drawing = replace(self._drawing(case), **changes)
        if drawing != self._drawing(case):
            self._draw(case, text, {case.view.slice_index: drawing}, f"{text} {drag}" if drag else "")

    def _draw(self, case: Case, text: str, changes: Mapping[int, Drawing], merge: str = "") -> None:
        """Change what was drawn on one or several slices; a slice on which nothing is left is not kept."""
        drawings = {**case.drawings, **changes}
        kept = {index: drawn for index, drawn in drawings.items() if not drawn.empty}
        self._c.session.edit(case.key, text, merge, drawings=kept)

    # --- numbers -------------------------------------------------------------------------------------------------------

    @property
    def method(self) -> str:
        """Key of the map whose numbers are listed."""
        return self._method

    @property
    def site(self) -> str:
        """Name of the site reference for Z-scores, "" for none."""
        return self._site

    def choose(self, method: str, site: str) -> None:
        """List the numbers of another map, with the Z-scores of another site."""
        self._method, self._site = method, site
        self._later()

    def _on_method(self, key: str) -> None:
        self._method = key
        self._show()

    def _on_site(self, name: str) -> None:
        self._site = name
        self._show()

    def _offered(self) -> dict[str, SiteReference]:
        """Return the references of the quantity on screen, by name."""
        entries = self._maps.snapshot.entries
        name = quantity(entries[0].maps) if entries else "T1"
        return {site.name: site for site in self._sites if site.quantity == name}

    def _scored(self, rows: list[regions.RegionRow]) -> tuple[regions.RegionRow, ...]:
        """Return rows in order, with the Z-scores of the chosen reference."""
        offered = self._offered()
        site = offered.get(self._site)
        self._panel.set_sites(tuple(offered), self._site)
        if site is not None:
            rows = [replace(row, z=self._c.api.z_score(row.mean, site)) if row.n else row for row in rows]
        return regions.ordered(rows)

    def _set_sites(self, sites: list[SiteReference]) -> None:
        self._sites = tuple(sites)
        self._show()

    def sites_dialog(self) -> None:
        """Edit the site references."""
        from app.maps.sites_dialog import SitesDialog

        dialog = SitesDialog(self._sites, self._c.window)
        dialog.accepted.connect(lambda: self.keep_sites(dialog.sites()))
        dialog.open()

    def keep_sites(self, sites: list[SiteReference]) -> None:
        """Write the site references and use them."""
        handle = self._c.runner.submit("io", "Site references", partial(_keep, self._c.api, sites))
        handle.succeeded.connect(self._set_sites)
        handle.failed.connect(partial(self._c.errors.report, "Site references"))

    def csv(self) -> str:
        """Return the numbers of all regions, maps and slices as CSV."""
        entries = self._maps.snapshot.entries
        name = quantity(entries[0].maps) if entries else "T1"
        site = self._site if self._site in self._offered() else ""
        return regions.to_csv(self._scored(list(self.measured.rows)), name, site)

    def copy(self) -> None:
        """Put the numbers on the clipboard."""
        QGuiApplication.clipboard().setText(self.csv())
        self._c.say("The regions are on the clipboard, as CSV")

    def export_dialog(self) -> None:
        """Ask for a file and write the numbers."""
        start = Path(self._c.settings.get("files/folder") or ".") / "segments.csv"
        path, _ = QFileDialog.getSaveFileName(self._c.window, "Export the regions", str(start), "CSV (*.csv)")
        if path:
            path = path if Path(path).suffix else path + ".csv"
            text = self.csv()
            handle = self._c.runner.submit("io", "Export regions", lambda _: _write(path, text))
            handle.succeeded.connect(lambda _: self._c.say(f"The regions were written to {path}"))
            handle.failed.connect(partial(self._c.errors.report, "Export regions"))


def masks_of(
    api: EngineApi, drawing: Drawing, shape: tuple[int, int], voxel_mm: tuple[float, float, float] | None
) -> tuple[dict[int, Bool], dict[int, Bool]]:
    """Return the masks (y, x) of the segments of a drawing by AHA number, and of its other regions by their own numbers."""
    others: dict[int, Bool] = {}
    for number, points in ((101, drawing.roi), (102, drawing.blood)):
        if len(points) >= 3:
            others[number] = api.contour_region(rows_and_columns(smooth(points)), shape)
    found: dict[int, Bool] = {}
    if len(drawing.endo) >= 3 and len(drawing.epi) >= 3:
        endo, epi = (rows_and_columns(smooth(points)) for points in (drawing.endo, drawing.epi))
        others[103] = api.contour_region(epi, shape) & ~api.contour_region(endo, shape)
        if drawing.insertion is not None:
            x, y = drawing.insertion
            pixel = (1.0, 1.0) if voxel_mm is None else (voxel_mm[1], voxel_mm[2])
            found = dict(api.segments(endo, epi, (y, x), drawing.clockwise, drawing.level, shape, pixel_mm=pixel))
    return found, others


def _statistics(api: EngineApi, entries: tuple[MapEntry, ...], drawings: Mapping[int, Drawing], report: Reporter) -> Measured:
    rows: list[regions.RegionRow] = []
    masks: dict[int, Mapping[int, Bool]] = {}
    wrong: EngineError | None = None
    for index, drawing in drawings.items():
        report.check()
        shape = entries[0].maps.main.values.shape[-2:]
        try:
            segments, others = masks_of(api, drawing, (int(shape[0]), int(shape[1])), entries[0].maps.voxel_mm)
        except EngineError as error:
            # The other slices are counted all the same.
            wrong = error
            continue
        masks[index] = segments
        for entry in entries:
            maps = entry.maps
            if index not in maps.slices or maps.main.values.shape[-2:] != shape:
                continue
            found = api.segment_table(maps.main, maps.slices.index(index), {**segments, **others})
            rows += regions.make_rows(entry.key, entry.title, index, found, _OTHERS)
    if wrong is not None and not rows:
        raise wrong
    means = {entry.key: _means(api, entry, masks) for entry in entries}
    return Measured(regions.with_deltas(rows, REFERENCE), means, masks)


def _means(api: EngineApi, entry: MapEntry, masks: Mapping[int, Mapping[int, Bool]]) -> dict[int, float]:
    """Return the mean of each segment that has pixels with a value, over all slices of a map."""
    maps = entry.maps
    fitting = maps.main.values.shape[-2:]
    there = {maps.slices.index(index): found for index, found in masks.items() if index in maps.slices and found}
    if not there or any(mask.shape != fitting for found in there.values() for mask in found.values()):
        return {}
    return {row.segment: row.mean for row in api.bullseye(maps.main, there) if row.n}


def _keep(api: EngineApi, sites: list[SiteReference], report: Reporter) -> list[SiteReference]:
    report.check()
    api.save_site_references(sites)
    kept: list[SiteReference] = api.site_references()
    return kept


def _borders(masks: Mapping[int, Bool]) -> tuple[Mark, ...]:
    """Return the borders of segments between pixels, and their numbers."""
    made: list[Mark] = []
    for number, mask in masks.items():
        if not mask.any():
            continue
        lines: list[Point] = []
        for x0, y0, x1, y1 in edges(mask).tolist():
            lines += [(x0 - 0.5, y0 - 0.5), (x1 - 0.5, y1 - 0.5)]
        made.append(Mark(MarkKind.LINES, tuple(lines), BORDER_COLOR))
        y, x = (float(np.mean(axis)) for axis in np.nonzero(mask))
        made.append(Mark(MarkKind.WORD, ((x, y),), "#ffffff", str(number)))
    return tuple(made)


def _size(case: Case) -> str:
    return f"{case.data.shape[-2]} x {case.data.shape[-1]}"


def _write(path: str, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
