"""The relaxometry half of the stand-in engine: quick answers of the real records; what is NumPy only is the engine's own."""

# ruff: noqa: ARG002 - the signatures are the engine's

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import api
from engine.core.errors import InputError
from engine.core.geometry import UNKNOWN, Geometry
from engine.core.jobs import Reporter, silent
from engine.core.maps import FitRequest, MapSet, PixelFit, Reason
from engine.core.records.registries import FitModelInfo
from engine.core.records.relaxometry import EcvSummary, Pool, SiteReference, WallEcv
from engine.core.types import Bool, Float, ImageSeries, Kind, ParameterMap, Region

TIMES = np.array([100.0, 180.0, 260.0, 1100.0, 1180.0, 2100.0, 3100.0, 4100.0], np.float32)
SHAPE = (2, TIMES.size, 24, 20)

FIT_MODELS = [
    FitModelInfo("ir3", "Inversion recovery", "T1", ("a", "b", "t1"), 3, ("auto", "magnitude", "signed"), source="a paper"),
    FitModelInfo("molli3", "MOLLI", "T1", ("a", "b", "t1_star"), 3, ("auto", "magnitude", "signed", "complex"), source="a paper"),
    FitModelInfo("t2prep2", "T2 preparation", "T2", ("a", "t2"), 2, ("auto", "magnitude"), source="a paper"),
]


def t1_truth(shape: tuple[int, ...] = SHAPE) -> Float:
    """Return T1 in ms (slice, y, x), another one in each pixel."""
    s, _, y, x = shape
    return 600.0 + np.arange(s * y * x, dtype=np.float32).reshape(s, y, x)


def molli(shape: tuple[int, ...] = SHAPE, kind: Kind = Kind.MOLLI, times: Float = TIMES, name: str = "molli") -> ImageSeries:
    """Return a magnitude series whose first column is background, with different times in its slices."""
    t1 = t1_truth(shape)[:, None]
    per_slice = np.stack([times + 5 * s for s in range(shape[0])])[:, :, None, None]
    images = np.abs(1000.0 - 1900.0 * np.exp(-per_slice / (t1 / 0.9))).astype(np.float32)
    images[..., 0] = 1.0
    return ImageSeries(images, kind=kind, times_ms=per_slice[:, :, 0, 0], name=name, source=f"{name}.npz", unknown=("orientation",))


class MapsStandIn:
    """Maps whose T1 is the largest sample plus 500 (so that a pixel tells itself apart), background where that is small."""

    def __init__(self) -> None:
        super().__init__()
        self.fit_gate = threading.Event()
        self.fit_gate.set()
        self.fits: list[tuple[Any, ...]] = []
        self.pixels: list[tuple[int, int, int]] = []
        self.saved_maps: list[tuple[MapSet, str | Path]] = []
        self.asked_segments: list[tuple[tuple[float, float], bool, str]] = []
        self.asked_ecv: list[tuple[MapSet, MapSet, Region, float, Region | None]] = []
        self.asked_post: tuple[Region | None, Region | None] = (None, None)
        self.sites: list[SiteReference] = []

    def fit_models(self) -> list[FitModelInfo]:
        return FIT_MODELS

    def warm_up_fit(self) -> None:
        self.fits.append(("warm",))

    def fit_maps(
        self,
        images: NDArray[Any],
        request: FitRequest,
        report: Reporter | None = None,
        *,
        times_ms: NDArray[Any] | None = None,
        title: str = "",
        kind: Kind = Kind.UNKNOWN,
        slices: tuple[int, ...] = (),
        geometry: Geometry = UNKNOWN,
    ) -> MapSet:
        report = report or silent()
        self.fits.append((title, request.model, tuple(slices), np.array(request.times_ms), request))
        while not self.fit_gate.wait(0.005):
            report.check()
        times = np.asarray(request.times_ms, np.float32)
        if times.max() < 30:
            raise InputError(f"the times look like seconds (expected milliseconds / found up to {times.max():g})", "Times 1000.")
        report.step(1, 2, "fitting")
        displacement = None
        if request.motion != "none":
            # The first slice moves by a pixel, the others are not helped.
            displacement = np.zeros((*images.shape[:2], 2, *images.shape[2:]), np.float32)
            displacement[0, :, 0] = 1
            images = np.concatenate([np.roll(images[:1], -1, axis=-2), images[1:]])
        top = np.abs(images).max(axis=1).astype(np.float32)
        reason = np.where(top < 0.05 * top.max(), Reason.BACKGROUND, Reason.VALID).astype(np.uint8)
        reason[:, 3, 3] = Reason.BOUND
        valid = reason == 0
        values = np.where(valid, values_of(images), 0).astype(np.float32)
        name, quantity = ("t2_ms", "T2") if request.model.startswith("t2") else ("t1_ms", "T1")
        maps = {name: ParameterMap(values, quantity, "ms", valid, sd=np.full_like(values, 12.0), geometry=geometry)}
        if request.model == "molli3":
            maps["t1_star_ms"] = ParameterMap(values * np.float32(0.9), "T1*", "ms", valid)
        ones = np.ones_like(values)
        return MapSet(
            maps, request.model, title, times, ones * np.float32(0.99), ones * np.float32(3), reason * 0, reason, images,
            kind, tuple(slices), seconds=0.02, notes=("a note",),
            displacement=displacement,
        )  # fmt: skip

    def fit_pixel(self, maps: MapSet, slice_index: int, y: int, x: int) -> PixelFit:
        self.pixels.append((slice_index, y, x))
        samples = np.abs(maps.images[slice_index, :, y, x]).astype(np.float32)
        value = float(maps.main.values[slice_index, y, x])
        reason = Reason(int(maps.reason[slice_index, y, x]))
        grid = np.linspace(0, 4500, 50, dtype=np.float32)
        found = {} if reason else {next(iter(maps.maps)): (value, value - 20, value + 20, "ms"), "a": (1000.0, 990.0, 1010.0, "")}
        return PixelFit(
            maps.times_ms[slice_index],
            samples,
            grid,
            np.interp(grid, TIMES, np.sort(samples)),
            samples * 0 + 1,
            found,
            0.99,
            reason,
        )

    # regions: polygons by the even-odd rule, segments by angle

    def contour_region(self, points: NDArray[Any], shape: tuple[int, int]) -> Bool:
        y, x = np.mgrid[: shape[0], : shape[1]]
        inside = np.zeros(shape, bool)
        for (y0, x0), (y1, x1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            crosses = (y0 > y) != (y1 > y)
            with np.errstate(divide="ignore", invalid="ignore"):
                inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
        return inside

    def segments(
        self,
        endo: NDArray[Any],
        epi: NDArray[Any],
        insertion: tuple[float, float],
        clockwise: bool,
        level: str,
        shape: tuple[int, int],
        *,
        pixel_mm: tuple[float, float] = (1.0, 1.0),
    ) -> dict[int, Bool]:
        self.asked_segments.append((insertion, clockwise, level))
        wall = self.contour_region(epi, shape) & ~self.contour_region(endo, shape)
        if not wall.any():
            raise InputError("the epicardial contour does not enclose the endocardial one", "Draw it outside.")
        count, first = (4, 13) if level == "apical" else (6, 1 if level == "basal" else 7)
        y, x = np.mgrid[: shape[0], : shape[1]]
        cy, cx = np.mean(epi, axis=0)
        turn = np.arctan2(-(y - cy), x - cx) - np.arctan2(-(insertion[0] - cy), insertion[1] - cx)
        part = ((-turn if clockwise else turn) % (2 * np.pi) / (2 * np.pi) * count).astype(int) % count
        return {first + index: wall & (part == index) for index in range(count)}

    segment_table = staticmethod(api.segment_table)
    bullseye = staticmethod(api.bullseye)

    # between maps

    def ecv(
        self,
        native: MapSet,
        post: MapSet,
        blood: Region,
        haematocrit: float,
        myocardium: Region | None = None,
        *,
        haematocrit_sd: float = 0.0,
        blood_post: Region | None = None,
        myocardium_post: Region | None = None,
    ) -> tuple[ParameterMap, EcvSummary]:
        if not 0 < haematocrit < 1:
            raise InputError(f"the haematocrit is no fraction (expected 0 to 1 / found {haematocrit:g})", "Give 0.42 for 42 %.")
        valid = native.valid & post.valid
        self.asked_ecv.append((native, post, blood, haematocrit, myocardium))
        self.asked_post = (blood_post, myocardium_post)
        values = np.where(valid, 25 + native.main.values * np.float32(1e-3), 0).astype(np.float32)
        pool = Pool(1500.0, 20.0, 12, 400.0, 10.0, 12)
        summary = EcvSummary(haematocrit, pool, 0, WallEcv(pool, 26.0, 1.5, 0.45, 26.0, 1.0, 40))
        return ParameterMap(values, "ECV", "%", valid), summary

    compare_maps = staticmethod(api.compare_maps)
    disagreement = staticmethod(api.disagreement)

    # site references

    def site_references(self, path: str | Path | None = None) -> list[SiteReference]:
        return list(self.sites)

    def save_site_references(self, sites: Sequence[SiteReference], path: str | Path | None = None) -> Path:
        self.sites = list(sites)
        return Path(path or "site-references.json")

    z_score = staticmethod(api.z_score)

    def save_maps(self, maps: MapSet, path: str | Path) -> None:
        self.saved_maps.append((maps, path))


def values_of(images: NDArray[Any]) -> Float:
    """Return what the stand-in takes for T1 of images (slice, frame, y, x)."""
    found: Float = np.abs(images)[:, -1].astype(np.float32) * np.float32(0.5) + np.float32(500.0)
    return found
