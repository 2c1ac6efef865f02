"""A stand-in for ``engine.api`` whose answers are quick, whose failures are ordered, and which never loads torch."""

# ruff: noqa: ARG002 - the signatures are the engine's

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import replace

import numpy as np

from engine import api
from engine.core.errors import Cancelled, EngineError, InputError, ShapeError
from engine.core.records.machine import DoctorReport
from engine.core.records.methods import MethodInfo, PresetInfo
from engine.core.records.options import Option
from engine.core.records.registries import FormatInfo
from engine.core.records.series import Sample
from engine.core.records.weights import WeightSource
from engine.core.requests import MethodFailed, ReconRequest, SliceDone
from engine.core.types import ArrayReader, ImageSeries, Kind, KSpaceSeries, Reconstruction, Region, SamplingMask, Score
from tests.app.maps.stand_in import MapsStandIn
from tests.app.train.stand_in import TrainStandIn

SHAPE = (3, 4, 2, 32, 24)


def kspace(shape=SHAPE, acquired=None, kind=Kind.CINE, name="tiny", seed=0) -> KSpaceSeries:
    """Return a small series whose frames differ."""
    rng = np.random.default_rng(seed)
    data = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    times = np.arange(shape[1]) * 40.0
    return KSpaceSeries(
        ArrayReader(data.astype(np.complex64)),
        kind=kind,
        times_ms=times,
        acquired=acquired,
        name=name,
        source=f"{name}.h5",
        notes=("simulated coils",),
        unknown=("orientation",),
    )


def images(shape=(2, 4, 32, 24)) -> ImageSeries:
    """Return a small magnitude series."""
    return ImageSeries(
        np.random.default_rng(1).random(shape, dtype=np.float32), kind=Kind.CINE, name="pictures", source="pictures.npz"
    )


def truth(series: KSpaceSeries) -> np.ndarray:
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
        self.calls: list[tuple] = []
        self.requests: list = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.catalogue = list(CATALOGUE)
        self.files: dict[str, object] = {}

    def _note(self, name: str, *values: object) -> None:
        self.calls.append((name, *values))
        self.threads.add(f"{name}@{threading.current_thread() is threading.main_thread()}")

    # files
    def formats(self):
        return [FormatInfo("h5", "HDF5", ("*.h5",))]

    def save_patterns(self, content):
        return (("HDF5", ("*.h5", "*.hdf5")),) if content == "reconstruction" else (("HDF5", ("*.h5",)), ("NIfTI", ("*.nii.gz",)))

    def open_options(self, **settings):
        return dict(settings)

    def open_series(self, path, options=None):
        self._note("open_series", path.name, options)
        if path.name == "axes.npz" and not options:
            raise ShapeError(
                "the axes of images are not known (expected letters / found (2, 4, 8))", "Say them, for example --axes sfyx."
            )
        if path.suffix == ".txt":
            raise EngineError(f"{path.name} is of no format that can be read", "`myoscope formats` lists them.")
        found = self.files.get(path.name)
        return kspace(name=path.stem) if found is None else found

    def samples(self):
        return [Sample("pig", "Pig", "A pig.", "cine", "CC0", "a paper", None)]

    def open_sample(self, name):
        self._note("open_sample", name)
        return images()

    def simulate(self, data, coils, snr, seed, report):
        self._note("simulate", coils, snr)
        s, f, y, x = data.shape
        return kspace((s, f, coils, y, x), name=data.name)

    def phantom_request(self, **settings):
        return settings

    def make_phantom(self, request, report):
        self._note("make_phantom", request)
        return kspace(name="phantom"), {}

    def save_reconstruction(self, made, path):
        self._note("save_reconstruction", made, path)

    def open_mask(self, path, shape):
        lines = np.ones((1, 32, 1), bool)
        lines[:, 1::2] = False
        return SamplingMask(lines, "file")

    # sampling: the real thing, it is NumPy only
    mask_patterns = staticmethod(api.mask_patterns)
    point_spread = staticmethod(api.point_spread)

    def make_mask(self, request, shape):
        self._note("make_mask", request)
        return api.make_mask(request, shape)

    # reconstruction
    def methods(self, names=(), costs=True, report=None):
        return self.catalogue

    def preview(self, series, mask, slice_index, frame):
        self._note("preview", slice_index, frame)
        return truth(series)[slice_index, frame] * np.complex64(0.5)

    def reference(self, series, slices, frames, report):
        self._note("reference", slices)
        return truth(series)[list(slices)]

    def reconstruct(self, request, report):
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
        image = truth(request.series)[list(request.slices)] * np.complex64(0.9)
        mask = request.mask or request.series.acquired
        frames = tuple(range(request.series.shape[1]))
        return Reconstruction(
            image,
            request.method,
            request.slices,
            frames,
            mask,
            kind=request.series.kind,
            seconds=self.seconds,
            weights=request.weights,
            notes=("simulated coils",),
        )

    def run(self, request, report, tell):
        """Go through slices and methods by :meth:`reconstruct`, as the plan does."""
        made: dict[int, Reconstruction] = {}
        scores: dict[int, dict] = {}
        left = list(range(len(request.methods)))
        total = len(request.slices) * len(request.methods)
        try:
            for at, s in enumerate(request.slices):
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

    def _title(self, name):
        return next((method.title for method in self.catalogue if method.name == name), name)

    def _joined(self, first, second):
        if first is None or first.weights != second.weights or first.mask is not second.mask:
            return second
        kept = [k for k, s in enumerate(first.slices) if s not in second.slices]
        image = np.concatenate([first.image[kept], second.image])
        return replace(second, image=image, slices=(*(first.slices[k] for k in kept), *second.slices))

    def _scores(self, request, made):
        if not request.series.fully_sampled:
            return {}
        truth_ = truth(request.series)[list(made.slices)]
        regions = [None, self.dynamic_region(truth_, request.percentile), self.static_region(truth_, request.percentile)]
        return {
            (score.metric, score.region): score
            for region in regions
            for score in self.evaluate(made.image, truth_, request.metrics, region)
        }

    # scores
    def dynamic_region(self, reference, percentile=90.0):
        spread = np.abs(reference).std(axis=1)
        if not spread.any():
            raise InputError("nothing moves in slice 0", "Choose the whole image.")
        return Region(spread > np.percentile(spread, percentile), "dynamic", "what moves")

    def static_region(self, reference, percentile=90.0):
        return Region(~self.dynamic_region(reference, percentile).pixels, "static", "what does not")

    def evaluate(self, estimate, reference, metric_names, region=None, protocol="myoscope", report=None):
        self._note("evaluate", region.name if region else "whole")
        error = float(np.abs(estimate - reference).mean())
        name = "whole" if region is None else region.name
        return [
            Score(m, 30 - error, "dB" if m == "psnr" else "", name, "all", 1.0, reference.size, m != "nmse") for m in metric_names
        ]

    # machine
    def memory(self):
        return 2048.0, 8192.0

    def device_label(self, name="auto"):
        return "CPU, 1 thread"

    def warm_up(self):
        self._note("warm_up")

    def doctor(self):
        return DoctorReport({"python": "3.11"}, {}, {}, {}, {}, {}, {})

    def method_macs(self, name):
        self._note("method_macs", name)
        return 4e9

    def memory_estimate(self, name, shape, mask=None, weights=None, settings=None, device="auto"):
        self._note("memory_estimate", name, shape, weights, settings)
        return 440.0

    def weight_sources(self):
        return [WeightSource("net-tf", "Network (TensorFlow)", ("net",), "MIT", "example.org")]

    def import_weights(self, path, source, name=None):
        self._note("import_weights", path, source)
        self.catalogue[3] = replace(self.catalogue[3], weights=("bare-1",))
        return "bare-1"
