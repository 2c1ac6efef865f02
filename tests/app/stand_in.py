"""A stand-in for ``engine.api`` whose answers are quick, whose failures are ordered, and which never loads torch."""

# ruff: noqa: ARG002 - the signatures are the engine's

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine import api
from engine.api.contract import EngineApi
from engine.core.acquisition import WHOLE, Acquisition, Evidence
from engine.core.errors import Cancelled, EngineError, FormatError, InputError, ShapeError
from engine.core.jobs import Reporter, silent
from engine.core.maps import MapSet
from engine.core.records.entries import Content
from engine.core.records.machine import DoctorReport
from engine.core.records.methods import MethodInfo, PresetInfo
from engine.core.records.options import Option
from engine.core.records.plain import Plain
from engine.core.records.registries import FormatInfo
from engine.core.records.series import Sample
from engine.core.records.weights import WeightSource
from engine.core.requests import (
    MaskRequest,
    MethodFailed,
    OpenOptions,
    PhantomSettings,
    ReconRequest,
    RunRequest,
    SliceDone,
)
from engine.core.types import ArrayReader, Complex, ImageSeries, Kind, KSpaceSeries, Reconstruction, Region, SamplingMask, Score
from tests.app.maps.stand_in import MapsStandIn
from tests.app.train.stand_in import TrainStandIn

SHAPE = (3, 4, 2, 32, 24)


def kspace(
    shape: tuple[int, int, int, int, int] = SHAPE,
    acquired: SamplingMask | None = None,
    kind: Kind = Kind.CINE,
    name: str = "tiny",
    seed: int = 0,
) -> KSpaceSeries:
    """Return a small series whose frames differ."""
    rng = np.random.default_rng(seed)
    data = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    times = np.arange(shape[1]) * 40.0
    return KSpaceSeries(
        ArrayReader(data.astype(np.complex64)),
        kind=kind,
        times_ms=times,
        acquisition=WHOLE if acquired is None else Acquisition((acquired,), Evidence.TOLD),
        name=name,
        source=f"{name}.h5",
        notes=("simulated coils",),
        unknown=("orientation",),
    )


def images(shape: tuple[int, int, int, int] = (2, 4, 32, 24)) -> ImageSeries:
    """Return a small magnitude series."""
    return ImageSeries(
        np.random.default_rng(1).random(shape, dtype=np.float32), kind=Kind.CINE, name="pictures", source="pictures.npz"
    )


def truth(series: KSpaceSeries) -> Complex:
    """Return images of a series, complex64 (slice, frame, y, x); they move."""
    s, f, _, y, x = series.shape
    grid = np.linspace(0, 1, y)[:, None] * np.linspace(0, 1, x)[None]
    return np.stack([[grid * (1 + a + 0.3 * b * (grid > 0.6)) for b in range(f)] for a in range(s)]).astype(np.complex64)


NO_WEIGHTS = {"default": PresetInfo()}
CATALOGUE = [
    MethodInfo("zero_filled", "Zero-filled", kinds=("cine", "molli", "t2prep"), presets=NO_WEIGHTS),
    MethodInfo(
        "cg_sense",
        "CG-SENSE",
        "Pruessmann 2001",
        ("cine", "molli"),
        NO_WEIGHTS,
        options=(Option("weight", 0.01, "Tikhonov weight"), Option("iterations", 30, "most steps")),
    ),
    MethodInfo("l1_wavelet", "L1 wavelet", "Lustig 2007", ("cine",), NO_WEIGHTS),
    MethodInfo("bare_net", "Bare network", kinds=("cine",), presets={"paper": PresetInfo(1_250_000)}, trainable=True),
    MethodInfo(
        "net",
        "Network",
        kinds=("cine",),
        presets={"paper": PresetInfo(31_000, macs=2.5e9)},
        trainable=True,
        weights=("net-a", "net-b"),
    ),
    MethodInfo("t1_net", "T1 network", kinds=("molli",), presets=NO_WEIGHTS),
]


class StandIn(MapsStandIn, TrainStandIn):
    """See the module. ``fail`` maps a method to the error it raises, ``seconds`` is how long a reconstruction takes."""

    def __init__(self) -> None:
        super().__init__()
        self.fail: dict[str, Exception] = {}
        self.seconds = 0.0
        self.calls: list[tuple[Any, ...]] = []
        self.requests: list[ReconRequest] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.catalogue = list(CATALOGUE)
        self.files: dict[str, KSpaceSeries | ImageSeries] = {}
        self.saved: dict[str, Reconstruction] = {}

    def _note(self, name: str, *values: object) -> None:
        self.calls.append((name, *values))
        self.threads.add(f"{name}@{threading.current_thread() is threading.main_thread()}")

    # files
    def formats(self) -> list[FormatInfo]:
        return [FormatInfo("h5", "HDF5", ("*.h5",))]

    def save_patterns(self, content: Content) -> tuple[tuple[str, tuple[str, ...]], ...]:
        both = (("HDF5", ("*.h5",)), ("NIfTI", ("*.nii.gz",)))
        return (("HDF5", ("*.h5", "*.hdf5")),) if content is Content.RECONSTRUCTION else both

    def open_series(self, path: str | Path, options: OpenOptions | None = None) -> KSpaceSeries | ImageSeries:
        path = Path(path)
        self._note("open_series", path.name, options)
        if path.name == "axes.npz" and not options:
            raise ShapeError(
                "the axes of images are not known (expected letters / found (2, 4, 8))", "Say them, for example --axes sfyx."
            )
        if path.suffix == ".txt":
            raise EngineError(f"{path.name} is of no format that can be read", "`myoscope formats` lists them.")
        found = self.files.get(path.name)
        return kspace(name=path.stem) if found is None else found

    def samples(self) -> list[Sample]:
        return [Sample("pig", "Pig", "A pig.", "cine", "CC0", "a paper", None)]

    def open_sample(self, name: str) -> KSpaceSeries | ImageSeries:
        self._note("open_sample", name)
        return images()

    def simulate(
        self, images: ImageSeries, coils: int = 10, snr: float = 40.0, seed: int = 0, report: Reporter | None = None
    ) -> KSpaceSeries:
        self._note("simulate", coils, snr)
        s, f, y, x = images.shape
        return kspace((s, f, coils, y, x), name=images.name)

    def make_phantom(
        self, settings: PhantomSettings, report: Reporter | None = None
    ) -> tuple[KSpaceSeries, Mapping[str, NDArray[Any]]]:
        self._note("make_phantom", settings)
        return kspace(name="phantom"), {}

    def save_reconstruction(self, reconstruction: Reconstruction, path: str | Path) -> None:
        self._note("save_reconstruction", reconstruction, path)

    def open_maps(self, path: str | Path) -> MapSet:
        raise FormatError(f"{path} holds no maps", "Tests that have some say so.")

    def open_mask(self, path: str | Path, shape: Sequence[int] | None = None) -> SamplingMask:
        lines = np.ones((1, 32, 1), bool)
        lines[:, 1::2] = False
        return SamplingMask(lines, "file")

    # sampling: the real thing, it is NumPy only
    mask_patterns = staticmethod(api.mask_patterns)
    point_spread = staticmethod(api.point_spread)

    def make_mask(self, request: MaskRequest, shape: Sequence[int]) -> SamplingMask:
        self._note("make_mask", request)
        return api.make_mask(request, shape)

    # reconstruction
    def methods(self, names: Sequence[str] = (), costs: bool = True, report: Reporter | None = None) -> list[MethodInfo]:
        return self.catalogue

    def preview(self, series: KSpaceSeries, mask: SamplingMask | None, slice_index: int, frame: int) -> Complex:
        self._note("preview", slice_index, frame)
        image: Complex = truth(series)[slice_index, frame] * np.complex64(0.5)
        return image

    def reference(
        self,
        series: KSpaceSeries,
        slices: Sequence[int] | None = None,
        frames: Sequence[int] | None = None,
        report: Reporter | None = None,
    ) -> Complex:
        self._note("reference", slices)
        return truth(series)[list(slices or range(series.shape[0]))]

    def reconstruct(self, request: ReconRequest, report: Reporter | None = None) -> Reconstruction:
        report = report or silent()
        self._note("reconstruct", request.method, request.slices, request.mask)
        self.requests.append(request)
        if request.method in self.fail:
            raise self.fail[request.method]
        steps = 20
        for step in range(steps):
            report.step(step, steps, "iterating")
            time.sleep(self.seconds / steps)
            while not self.gate.wait(0.005):
                report.check()
        slices = request.slices or tuple(range(request.series.shape[0]))
        image = truth(request.series)[list(slices)] * np.complex64(0.9)
        mask = request.mask or request.series.acquisition.mask()
        assert mask is not None, "the window asks for a mask where the data bring none"
        frames = tuple(range(request.series.shape[1]))
        return Reconstruction(
            image,
            request.method,
            slices,
            frames,
            mask,
            kind=request.series.kind,
            seconds=self.seconds,
            weights=request.weights,
            notes=("simulated coils",),
        )

    def run(self, request: RunRequest, report: Reporter, tell: Callable[[SliceDone | MethodFailed], None]) -> None:
        """Go through slices and methods by :meth:`reconstruct`, as the plan does."""
        made: dict[int, Reconstruction] = {}
        scores: dict[int, dict[tuple[str, str], Score]] = {}
        slices = request.slices or tuple(range(request.series.shape[0]))
        left = list(range(len(request.methods)))
        total = len(slices) * len(request.methods)
        try:
            for at, s in enumerate(slices):
                for index in tuple(left):
                    method = request.methods[index]
                    part = report.part((at * len(request.methods) + index) / total, 1 / total, f"{self._title(method.method)}, ")
                    single = ReconRequest(
                        request.series, method.method, request.mask, method.weights, (s,), options=method.options, reference=False
                    )
                    try:
                        one = self.reconstruct(single, part)
                    except Cancelled:
                        raise
                    except Exception as error:  # noqa: BLE001
                        left.remove(index)
                        tell(MethodFailed(index, error, traceback.format_exc()))
                        continue
                    made[index] = self._joined(made.get(index) or method.earlier, one)
                    scores[index] = self._scores(request, made[index])
                    tell(SliceDone(index, s, made[index], scores[index]))
        finally:
            for index, result in made.items():
                order = np.argsort(result.slices)
                result = replace(result, image=result.image[order], slices=tuple(result.slices[k] for k in order))
                tell(SliceDone(index, result.slices[-1], result, scores[index], finished=True))

    def _title(self, name: str) -> str:
        return next((method.title for method in self.catalogue if method.name == name), name)

    def _joined(self, first: Reconstruction | None, second: Reconstruction) -> Reconstruction:
        if first is None or first.weights != second.weights or first.mask is not second.mask:
            return second
        kept = [k for k, s in enumerate(first.slices) if s not in second.slices]
        image = np.concatenate([first.image[kept], second.image])
        return replace(second, image=image, slices=(*(first.slices[k] for k in kept), *second.slices))

    def _scores(self, request: RunRequest, made: Reconstruction) -> dict[tuple[str, str], Score]:
        if not request.series.fully_sampled:
            return {}
        truth_ = truth(request.series)[list(made.slices)]
        regions = [None, self.dynamic_region(truth_, request.percentile), self.static_region(truth_, request.percentile)]
        return {
            (score.metric, score.region): score
            for region in regions
            for score in self.evaluate(made.image, truth_, request.metrics, region)
        }

    def open_reconstruction(self, path: str | Path) -> Reconstruction:
        return self.saved[Path(path).name]

    # scores
    def dynamic_region(self, reference_images: Complex, percentile: float = 90.0) -> Region:
        spread = np.abs(reference_images).std(axis=1)
        if not spread.any():
            raise InputError("nothing moves in slice 0", "Choose the whole image.")
        return Region(spread > np.percentile(spread, percentile), "dynamic", "what moves")

    def static_region(self, reference_images: Complex, percentile: float = 90.0) -> Region:
        return Region(~self.dynamic_region(reference_images, percentile).pixels, "static", "what does not")

    def evaluate(
        self,
        estimate: Complex,
        reference_images: Complex,
        metric_names: Sequence[str] = ("psnr", "ssim", "nmse"),
        region: Region | None = None,
        protocol: str = "myoscope",
        report: Reporter | None = None,
        kind: Kind = Kind.UNKNOWN,
    ) -> list[Score]:
        self._note("evaluate", region.name if region else "whole")
        value = 30 - float(np.abs(estimate - reference_images).mean())
        name, size = "whole" if region is None else region.name, reference_images.size
        return [Score(m, value, "dB" if m == "psnr" else "", name, "all", 1.0, size, m != "nmse") for m in metric_names]

    # machine
    def memory(self) -> tuple[float, float]:
        return 2048.0, 8192.0

    def device_label(self, name: str = "auto") -> str:
        return "CPU, 1 thread"

    def warm_up(self) -> None:
        self._note("warm_up")

    def doctor(self) -> DoctorReport:
        return DoctorReport({"python": "3.11"}, {}, {}, {}, {}, {}, {})

    def method_macs(self, name: str) -> float | None:
        self._note("method_macs", name)
        return 4e9

    def memory_estimate(
        self,
        name: str,
        shape: Sequence[int],
        mask: SamplingMask | None = None,
        weights: str | None = None,
        settings: Mapping[str, Plain] | None = None,
        device: str = "auto",
    ) -> float | None:
        self._note("memory_estimate", name, shape, weights, settings)
        return 440.0

    def weight_sources(self) -> list[WeightSource]:
        return [WeightSource("net-tf", "Network (TensorFlow)", ("net",), "MIT", "example.org")]

    def import_weights(self, path: str | Path, source: str | None = None, name: str | None = None) -> str:
        self._note("import_weights", path, source)
        self.catalogue[3] = replace(self.catalogue[3], weights=("bare-1",))
        return "bare-1"


if TYPE_CHECKING:
    # mypy holds the stand-in to the door: names, arguments, records.
    _checked: EngineApi = StandIn()
