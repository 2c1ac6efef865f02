"""The door, typed: what the window asks of the engine. :mod:`engine.api` is one such engine, the stand-ins of the tests are others.

mypy checks both against these protocols: a name, an argument or a record that differs does not pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from engine.core.geometry import UNKNOWN, Geometry
from engine.core.jobs import Reporter
from engine.core.maps import FitRequest, MapSet, PixelFit
from engine.core.records.entries import Content
from engine.core.records.events import Stepped, Validation
from engine.core.records.machine import DoctorReport
from engine.core.records.methods import MethodInfo
from engine.core.records.plain import Plain
from engine.core.records.registries import FitModelInfo, FormatInfo, LossInfo, MaskFamily
from engine.core.records.relaxometry import EcvSummary, MapComparison, SegmentStatistics, SiteReference
from engine.core.records.series import Sample
from engine.core.records.training import ConfigValues, Problem, RunInfo, TrainEstimate, TrainPreset, TrainSetting
from engine.core.records.weights import WeightSource
from engine.core.requests import MaskRequest, MethodFailed, OpenOptions, PhantomSettings, RunRequest, SliceDone
from engine.core.types import (
    Bool,
    Complex,
    Float,
    ImageSeries,
    Kind,
    KSpaceSeries,
    ParameterMap,
    Reconstruction,
    Region,
    SamplingMask,
    Score,
)

# ruff: noqa: D102 - each function is described where it is written, in engine.api


class DataApi(Protocol):
    """Files, samples, phantoms, masks."""

    def open_series(self, path: str | Path, options: OpenOptions | None = None) -> KSpaceSeries | ImageSeries: ...

    def formats(self) -> list[FormatInfo]: ...

    def save_patterns(self, content: Content) -> tuple[tuple[str, tuple[str, ...]], ...]: ...

    def samples(self) -> list[Sample]: ...

    def open_sample(self, name: str) -> KSpaceSeries | ImageSeries: ...

    def open_reconstruction(self, path: str | Path) -> Reconstruction: ...

    def save_reconstruction(self, reconstruction: Reconstruction, path: str | Path) -> None: ...

    def open_mask(self, path: str | Path, shape: Sequence[int] | None = None) -> SamplingMask: ...

    def make_phantom(
        self, settings: PhantomSettings, report: Reporter | None = None
    ) -> tuple[KSpaceSeries, Mapping[str, NDArray[Any]]]: ...

    def simulate(
        self, images: ImageSeries, coils: int = 10, snr: float = 40.0, seed: int = 0, report: Reporter | None = None
    ) -> KSpaceSeries: ...

    def mask_patterns(self) -> list[MaskFamily]: ...

    def make_mask(self, request: MaskRequest, shape: Sequence[int]) -> SamplingMask: ...

    def point_spread(self, mask: SamplingMask, frame: int = 0) -> Float: ...


class ReconstructionApi(Protocol):
    """Methods, reconstructions, scores."""

    def methods(self, names: Sequence[str] = (), costs: bool = True, report: Reporter | None = None) -> list[MethodInfo]: ...

    def method_macs(self, name: str) -> float | None: ...

    def memory_estimate(
        self,
        name: str,
        shape: Sequence[int],
        mask: SamplingMask | None = None,
        weights: str | None = None,
        settings: Mapping[str, Plain] | None = None,
        device: str = "auto",
    ) -> float | None: ...

    def run(self, request: RunRequest, report: Reporter, tell: Callable[[SliceDone | MethodFailed], None]) -> None: ...

    def reference(
        self,
        series: KSpaceSeries,
        slices: Sequence[int] | None = None,
        frames: Sequence[int] | None = None,
        report: Reporter | None = None,
    ) -> Complex: ...

    def preview(self, series: KSpaceSeries, mask: SamplingMask | None, slice_index: int, frame: int) -> Complex: ...

    def evaluate(
        self,
        estimate: Complex,
        reference_images: Complex,
        metric_names: Sequence[str] = ("psnr", "ssim", "nmse"),
        region: Region | None = None,
        protocol: str = "myoscope",
        report: Reporter | None = None,
        kind: Kind = Kind.UNKNOWN,
    ) -> list[Score]: ...

    def dynamic_region(self, reference_images: Complex, percentile: float = 90.0) -> Region: ...

    def static_region(self, reference_images: Complex, percentile: float = 90.0) -> Region: ...


class MapsApi(Protocol):
    """T1 and T2 maps, regions, segments, extracellular volume."""

    def fit_models(self) -> list[FitModelInfo]: ...

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
    ) -> MapSet: ...

    def fit_pixel(self, maps: MapSet, slice_index: int, y: int, x: int) -> PixelFit: ...

    def save_maps(self, maps: MapSet, path: str | Path) -> None: ...

    def open_maps(self, path: str | Path) -> MapSet: ...

    def warm_up_fit(self) -> None: ...

    def contour_region(self, points: NDArray[Any], shape: tuple[int, int]) -> Bool: ...

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
    ) -> dict[int, Bool]: ...

    def segment_table(self, map_: ParameterMap, slice_index: int, masks: Mapping[int, Bool]) -> list[SegmentStatistics]: ...

    def bullseye(self, map_: ParameterMap, masks: Mapping[int, Mapping[int, Bool]]) -> list[SegmentStatistics]: ...

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
    ) -> tuple[ParameterMap, EcvSummary]: ...

    def compare_maps(
        self,
        maps: MapSet,
        reference: MapSet,
        region: Region | None = None,
        *,
        masks: Mapping[int, Mapping[int, Bool]] | None = None,
    ) -> MapComparison: ...

    def disagreement(self, fits: Sequence[MapSet]) -> ParameterMap: ...

    def site_references(self, path: str | Path | None = None) -> list[SiteReference]: ...

    def save_site_references(self, sites: Sequence[SiteReference], path: str | Path | None = None) -> Path: ...

    def z_score(self, value: float, site: SiteReference) -> float: ...


class TrainingApi(Protocol):
    """Training runs."""

    def train_config_schema(self) -> list[TrainSetting]: ...

    def train_presets(self) -> list[TrainPreset]: ...

    def losses(self) -> list[LossInfo]: ...

    def check_train_config(self, values: ConfigValues) -> list[Problem]: ...

    def estimate_training(self, values: ConfigValues, report: Reporter | None = None) -> TrainEstimate: ...

    def runs(self) -> list[RunInfo]: ...

    def run_log(self, folder: str | Path) -> list[Stepped | Validation]: ...

    def run_config(self, folder: str | Path) -> ConfigValues: ...

    def tell_run(self, folder: str | Path, word: str) -> None: ...


class MachineApi(Protocol):
    """The machine, and weights."""

    def memory(self) -> tuple[float, float]: ...

    def device_label(self, name: str = "auto") -> str: ...

    def warm_up(self) -> None: ...

    def doctor(self) -> DoctorReport: ...

    def weight_sources(self) -> list[WeightSource]: ...

    def import_weights(self, path: str | Path, source: str | None = None, name: str | None = None) -> str: ...


class EngineApi(DataApi, ReconstructionApi, MapsApi, TrainingApi, MachineApi, Protocol):
    """All that the window asks."""
