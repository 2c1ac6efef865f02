"""Agreement of the methods' maps with the reference's: bias, limits, Bland-Altman, the map of disagreement."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtGui import QGuiApplication

from app.controllers.context import Context
from app.controllers.refreshing import RefreshingController
from app.display.frames import REFERENCE
from app.display.map_state import Drawing
from app.display.words import ms
from app.document.case import Case
from app.document.state import Topic
from app.maps.agreement_panel import REGIONS, AgreementPanel
from app.maps.controller import MapsController
from app.maps.layers import quantity, round_up
from app.maps.regions import masks_of
from app.maps.snapshot import ExtraMap, MapEntry
from engine.api.contract import EngineApi
from engine.core.jobs import Reporter
from engine.core.maps import MapSet
from engine.core.records.relaxometry import Agreement
from engine.core.types import Bool, Float, ParameterMap, Region

KEY = "disagreement"
_NUMBERS = {"ROI": 101, "myocardium": 103}


@dataclass(frozen=True, slots=True, eq=False)
class MethodAgreement:
    """One method against the reference: bias, limits and number of pairs; mean and difference of each pair, in ms."""

    key: str
    title: str
    bias: float
    lower: float
    upper: float
    n: int
    means: Float
    differences: Float


class MapsAgreementController(RefreshingController):
    """Keeps the comparison in step with maps and regions."""

    DELAY_MS = 5  # after the maps on screen were gathered

    def __init__(self, context: Context, panel: AgreementPanel, maps: MapsController) -> None:
        super().__init__(context.window)
        self._c, self._panel, self._maps = context, panel, maps
        self.agreements: tuple[MethodAgreement, ...] = ()
        self._asked: tuple[Any, ...] = ()
        self._region, self._method = "all", ""
        self._disagreeing = False
        session = context.session
        session.listen(self._later, Topic.MAPS, Topic.CURRENT, Topic.DRAWINGS, Topic.FIT)
        panel.region_chosen.connect(self._on_region)
        panel.method_chosen.connect(self._on_method)
        panel.disagreement_toggled.connect(self._on_disagreement)
        panel.copy_requested.connect(self.copy)

    def refresh(self) -> None:
        """Compare again when maps or regions are others."""
        case, entries = self._c.session.current, self._maps.snapshot.entries
        comparable = case is not None and len(entries) > 1 and entries[0].key == REFERENCE
        self._panel.set_disagreement(self._disagreeing, len(entries) > 1)
        if case is None or not comparable:
            self._asked, self.agreements = (), ()
            self._panel.set_rows((), "Maps of the reference and of at least one reconstruction are wanted: reconstruct in Review.")
            self._show_disagreement(case, entries)
            return
        drawn = tuple(sorted(case.drawings.items())) if self._region != "all" else ()
        asked = (case.key, self._region, drawn, *((entry.key, entry.stamp) for entry in entries))
        if asked != self._asked:
            self._asked = asked
            work = partial(_compare, self._c.api, entries, self._region, dict(case.drawings))
            handle = self._c.runner.submit("io", "Agreement", work, key="maps.agreement", quiet=True, priority=10)
            handle.succeeded.connect(partial(self._on_compared, asked))
            handle.failed.connect(partial(self._c.errors.report, "Agreement"))
        self._show_disagreement(case, entries)

    def _on_compared(self, asked: tuple[Any, ...], found: tuple[MethodAgreement, ...]) -> None:
        if asked == self._asked:
            self.agreements = found
            self._show()

    def _show(self) -> None:
        hint = "" if self.agreements else "Nothing was drawn that could be compared: choose ROI, or Endo and Epi, above the maps."
        self._panel.set_rows([(found.key, _words(found)) for found in self.agreements], hint)
        keys = [found.key for found in self.agreements]
        if not keys:
            self._panel.plot.clear()
            return
        place = keys.index(self._method) if self._method in keys else 0
        chosen = self.agreements[place]
        self._panel.select(place)
        name = quantity(self._maps.snapshot.entries[0].maps) if self._maps.snapshot.entries else "T1"
        self._panel.plot.set_points(chosen.means, chosen.differences, chosen.bias, chosen.lower, chosen.upper, name)

    @property
    def region(self) -> str:
        """Over which pixels maps are compared."""
        return self._region

    def choose_region(self, name: str) -> None:
        """Compare over other pixels; a name that is not offered is none."""
        if name in [known for _, known in REGIONS]:
            self._panel.set_region(name)
            self._on_region(name)

    def _on_region(self, name: str) -> None:
        self._region = name
        self._later()

    def _on_method(self, key: str) -> None:
        self._method = key
        self._show()

    # --- disagreement --------------------------------------------------------------------------------------------------

    def _on_disagreement(self, on: bool) -> None:
        self._disagreeing = on
        self._later()

    def _show_disagreement(self, case: Case | None, entries: tuple[MapEntry, ...]) -> None:
        if case is None:
            return
        if not self._disagreeing or len(entries) < 2:
            if self._maps.has_extra(case.key, KEY):
                self._maps.set_extra(case.key, None, KEY)
            return
        work = partial(_disagreement, self._c.api, tuple(entry.maps for entry in entries))
        handle = self._c.runner.submit("io", "Disagreement", work, key="maps.disagreement", quiet=True, priority=10)
        handle.succeeded.connect(partial(self._on_disagreeing, case.key, len(entries), _shared(entries)))
        handle.failed.connect(partial(self._c.errors.report, "Disagreement"))

    def _on_disagreeing(self, key: str, count: int, slices: tuple[int, ...], made: ParameterMap) -> None:
        if not self._disagreeing:
            return
        shown = np.where(made.valid, made.values, np.float32(np.nan)).astype(np.float32)
        shown.flags.writeable = False
        good = shown[np.isfinite(shown)]
        top = round_up(max(1.0, float(np.percentile(good, 95)))) if good.size else 1.0
        lines = (f"SD across {count} maps",)
        self._maps.set_extra(key, ExtraMap(KEY, "Disagreement", shown, slices, made.unit, (0.0, top), lines), KEY)

    # --- csv -----------------------------------------------------------------------------------------------------------

    def csv(self) -> str:
        """Return bias and limits of all methods as CSV."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("method", "region", "bias_ms", "lower_limit_ms", "upper_limit_ms", "pairs"))
        for found in self.agreements:
            numbers = (f"{value:.6g}" for value in (found.bias, found.lower, found.upper))
            writer.writerow((found.title, self._region, *numbers, found.n))
        return out.getvalue()

    def copy(self) -> None:
        """Put bias and limits on the clipboard."""
        QGuiApplication.clipboard().setText(self.csv())
        self._c.say("The agreement is on the clipboard, as CSV")


def _words(found: MethodAgreement) -> tuple[str, str, str, str]:
    return found.title, f"{found.bias:+.1f}", f"{ms(found.lower)} to {ms(found.upper)}", f"{found.n:,}"


def _region(api: EngineApi, maps: MapSet, name: str, drawings: Mapping[int, Drawing]) -> Region | None:
    """Return the drawn region on the slices of maps; None when nothing of that name was drawn."""
    shape = maps.main.values.shape
    pixels = np.zeros(shape, np.bool_)
    for index, drawing in drawings.items():
        if index in maps.slices:
            _, others = masks_of(api, drawing, (int(shape[1]), int(shape[2])), maps.voxel_mm)
            found: Bool | None = others.get(_NUMBERS[name])
            if found is not None:
                pixels[maps.slices.index(index)] = found
    return Region(pixels, name) if pixels.any() else None


def _compare(
    api: EngineApi, entries: tuple[MapEntry, ...], name: str, drawings: Mapping[int, Drawing], report: Reporter
) -> tuple[MethodAgreement, ...]:
    reference = entries[0].maps
    made = []
    for entry in entries[1:]:
        report.check()
        maps = entry.maps
        if maps.main.values.shape[1:] != reference.main.values.shape[1:] or not set(maps.slices) & set(reference.slices):
            continue
        if name == "segments":
            found = _by_segment(api, entry, reference, drawings)
        else:
            region = None if name == "all" else _region(api, maps, name, drawings)
            found = None if name != "all" and region is None else _by_pixel(api, entry, reference, region)
        if found is not None:
            made.append(found)
    return tuple(made)


def _by_pixel(api: EngineApi, entry: MapEntry, reference: MapSet, region: Region | None) -> MethodAgreement:
    found = api.compare_maps(entry.maps, reference, region)
    return _told(entry, found.agreement, found.means, found.differences)


def _by_segment(api: EngineApi, entry: MapEntry, reference: MapSet, drawings: Mapping[int, Drawing]) -> MethodAgreement | None:
    size = (int(reference.main.values.shape[1]), int(reference.main.values.shape[2]))
    masks = {index: masks_of(api, drawing, size, reference.voxel_mm)[0] for index, drawing in drawings.items() if drawing.complete}
    if not masks:
        return None
    found = api.compare_maps(entry.maps, reference, None, masks=masks)
    if found.segment_agreement is None:
        return None
    rows = [row.agreement for row in found.segments if row.agreement.n]
    means = np.array([row.reference_mean + row.bias / 2 for row in rows], np.float32)
    return _told(entry, found.segment_agreement, means, np.array([row.bias for row in rows], np.float32))


def _told(entry: MapEntry, found: Agreement, means: Float, differences: Float) -> MethodAgreement:
    return MethodAgreement(entry.key, entry.title, found.bias, found.lower, found.upper, found.n, means, differences)


def _disagreement(api: EngineApi, maps: tuple[MapSet, ...], report: Reporter) -> ParameterMap:
    report.check()
    made: ParameterMap = api.disagreement(maps)
    return made


def _shared(entries: tuple[MapEntry, ...]) -> tuple[int, ...]:
    """Return the slices that all maps have, in the order of the first."""
    return tuple(index for index in entries[0].maps.slices if all(index in entry.maps.slices for entry in entries))
