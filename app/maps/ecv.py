"""Extracellular volume from two T1 maps, in a job; its map beside the native ones, its numbers by region."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from PySide6.QtGui import QGuiApplication

from app.controllers.context import Context
from app.controllers.refreshing import RefreshingController
from app.display.map_state import Drawing
from app.document.case import Case, MapResult
from app.document.state import Topic
from app.maps.controller import MapsController
from app.maps.ecv_panel import EcvPanel
from app.maps.regions import masks_of
from app.maps.segments import MYOCARDIUM, ROI
from app.maps.snapshot import ExtraMap
from engine.api.contract import EngineApi
from engine.core.jobs import Reporter
from engine.core.maps import MapSet
from engine.core.records.plain import Json, table
from engine.core.records.relaxometry import EcvSummary
from engine.core.types import Bool, ParameterMap, Region

KEY = "ecv"
LEVELS = (0.0, 100.0)
_WORDS = {101: ROI, 103: MYOCARDIUM}


@dataclass(frozen=True, slots=True, eq=False)
class Ecv:
    """The map, what the engine says in few words, and (region, mean, SD, pixels) of each slice."""

    values: ParameterMap
    summary: EcvSummary
    rows: tuple[tuple[str, int, float, float, int], ...]


class MapsEcvController(RefreshingController):
    """Offers the T1 maps of all open series, and computes."""

    def __init__(self, context: Context, panel: EcvPanel, maps: MapsController) -> None:
        super().__init__(context.window)
        self._c, self._panel, self._maps = context, panel, maps
        self.result: Ecv | None = None
        #: Key of the case it is shown in, and the stamps of the maps it was made from.
        self._made_of: tuple[str, int, int] | None = None
        session = context.session
        session.listen(self._later, Topic.MAPS, Topic.CASES, Topic.CURRENT, Topic.DRAWINGS)
        panel.haematocrit_changed.connect(lambda _: self._later())
        panel.maps_chosen.connect(self._later)
        panel.run_requested.connect(self.run)
        panel.copy_requested.connect(self.copy)

    def _offered(self) -> dict[str, tuple[Case, MapResult]]:
        """Return all T1 maps by key."""
        return {
            f"{case.key}/{result.key}": (case, result)
            for case in self._c.session.cases
            for result in case.maps
            if result.maps.main.quantity == "T1"
        }

    def refresh(self) -> None:
        """Offer the maps that are there, and say what is wanted."""
        offered = self._offered()
        self._forget_stale({result.stamp for _, result in offered.values()})
        self._panel.set_maps([(f"{case.title}: {result.title}", key) for key, (case, result) in offered.items()])
        native, post, haematocrit = self._panel.choice()
        why = ""
        if len({case.key for case, _ in offered.values()}) < 2:
            why = "Two T1 maps are wanted: open and fit the native and the post-contrast series."
        elif offered[native][0] is offered[post][0]:
            why = "Choose maps of two series: before and after contrast."
        elif not haematocrit:
            why = "Type the haematocrit."
        elif not any(len(drawn.blood) >= 3 for drawn in offered[native][0].drawings.values()):
            why = "Draw the blood pool on the native map: choose Blood above the maps and click round it."
        self._panel.set_able(not why, why)

    def _forget_stale(self, there: set[int]) -> None:
        """Take the ECV map away when one of the maps it was made from is no longer there."""
        made_of = self._made_of
        if made_of is not None and not there.issuperset(made_of[1:]):
            self._maps.set_extra(made_of[0], None, KEY)
            self._made_of, self.result = None, None
            self._panel.set_rows(())

    def run(self) -> None:
        """Compute ECV."""
        offered = self._offered()
        native, post, haematocrit = self._panel.choice()
        if native not in offered or post not in offered:
            return
        case, first = offered[native]
        other, second = offered[post]
        work = partial(_ecv, self._c.api, first.maps, second.maps, dict(case.drawings), dict(other.drawings), haematocrit)
        handle = self._c.runner.submit("io", "ECV", work, key="maps.ecv", priority=15)
        handle.succeeded.connect(partial(self._on_made, case.key, first, second.stamp))
        handle.failed.connect(partial(self._c.errors.report, "ECV"))

    def _on_made(self, key: str, native: MapResult, post: int, made: Ecv) -> None:
        self.result, self._made_of = made, (key, native.stamp, post)
        shown = np.where(made.values.valid, made.values.values, np.nan).astype(np.float32)
        shown.flags.writeable = False
        said = (_summary_text(made.summary), *(f"{name}: {value:.5g}" for name, value in _numbers(table(made.summary))))
        self._maps.set_extra(key, ExtraMap(KEY, "ECV", shown, native.maps.slices, "%", LEVELS, said), KEY)
        self._panel.set_rows([(_row_words(row), f"{row[2]:.1f} ± {row[3]:.1f}", str(row[4])) for row in made.rows])

    def csv(self) -> str:
        """Return the numbers as CSV."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("region", "slice", "ecv_mean", "ecv_sd", "pixels", "unit"))
        if self.result is not None:
            for name, index, mean, sd, n in self.result.rows:
                writer.writerow((name, index + 1, f"{mean:.6g}", f"{sd:.6g}", n, self.result.values.unit))
            for name, value in _numbers(table(self.result.summary)):
                writer.writerow((f"summary {name}", "", f"{value:.6g}", "", "", ""))
        return out.getvalue()

    def copy(self) -> None:
        """Put the numbers on the clipboard."""
        QGuiApplication.clipboard().setText(self.csv())
        self._c.say("ECV is on the clipboard, as CSV")


def _numbers(summary: Mapping[str, Json], head: str = "") -> list[tuple[str, float]]:
    """Return all numbers of a summary with their names ("blood native ms")."""
    found: list[tuple[str, float]] = []
    for name, value in summary.items():
        words = f"{head} {name.replace('_', ' ')}".strip()
        if isinstance(value, dict):
            found += _numbers(value, words)
        elif isinstance(value, int | float):
            found.append((words, float(value)))
    return found


def _summary_text(summary: EcvSummary) -> str:
    """Return ECV of the myocardium's mean T1 when contours were drawn, else that of the blood pool's drawing alone."""
    wall = summary.myocardium
    return "no contours were drawn" if wall is None else f"myocardium {wall.ecv:.1f} ± {wall.ecv_sd:.1f} %"


def _row_words(row: tuple[str, int, float, float, int]) -> str:
    return f"{row[0]}, slice {row[1] + 1}"


def _ecv(
    api: EngineApi,
    native: MapSet,
    post: MapSet,
    drawings: Mapping[int, Drawing],
    later: Mapping[int, Drawing],
    haematocrit: float,
    report: Reporter,
) -> Ecv:
    """Compute ECV with the blood pool of all slices on which it was drawn; what was drawn after contrast holds for that map."""
    shape = native.main.values.shape
    size = (int(shape[1]), int(shape[2]))
    blood, muscle = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    masks: dict[int, dict[int, Bool]] = {}
    for index, drawing in drawings.items():
        report.check()
        if index not in native.slices:
            continue
        at = native.slices.index(index)
        segments, others = masks_of(api, drawing, size, native.voxel_mm)
        blood[at] = others.get(102, False)
        muscle[at] = others.get(103, False)
        masks[at] = {**segments, **{n: mask for n, mask in others.items() if n in _WORDS}}
    myocardium = Region(muscle, MYOCARDIUM) if muscle.any() else None
    blood_post, myocardium_post = _drawn_later(api, post, later)
    values, summary = api.ecv(
        native, post, Region(blood, "blood"), haematocrit, myocardium, blood_post=blood_post, myocardium_post=myocardium_post
    )
    rows = []
    for at, found in masks.items():
        for row in api.segment_table(values, at, found):
            name = _WORDS.get(row.segment) or f"segment {row.segment}"
            rows.append((name, native.slices[at], row.mean, row.sd, row.n))
    return Ecv(values, summary, tuple(rows))


def _drawn_later(api: EngineApi, post: MapSet, drawings: Mapping[int, Drawing]) -> tuple[Region | None, Region | None]:
    """Return blood pool and myocardium as drawn on the post-contrast map, None where nothing was."""
    shape = post.main.values.shape
    blood, muscle = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for index, drawing in drawings.items():
        if index in post.slices:
            _, others = masks_of(api, drawing, (int(shape[1]), int(shape[2])), post.voxel_mm)
            blood[post.slices.index(index)] = others.get(102, False)
            muscle[post.slices.index(index)] = others.get(103, False)
    return Region(blood, "blood") if blood.any() else None, Region(muscle, MYOCARDIUM) if muscle.any() else None
