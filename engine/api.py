"""The one surface the window (and the command line) calls. Nothing heavy is imported until a function needs it.

All arrays in and out are NumPy; torch never crosses this line. Long functions take a :class:`engine.core.jobs.Reporter`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.jobs import Reporter, silent
from engine.core.maps import FitRequest, MapSet, PixelFit
from engine.core.requests import MaskRequest, ReconRequest
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

if TYPE_CHECKING:
    from engine.bench.contract import BenchResult
    from engine.io.contract import OpenOptions
    from engine.io.samples import Sample
    from engine.phantom.acquire import PhantomRequest
    from engine.sampling.contract import MaskSpec

# --- files ------------------------------------------------------------------------------------------------------------


def open_series(path: str | Path, options: OpenOptions | None = None) -> KSpaceSeries | ImageSeries:
    """Open a file lazily; the format is recognised. See :func:`engine.io.contract.open_series`."""
    from engine.io import open_series as read

    return read(path, options)


def open_options(**settings: Any) -> OpenOptions:
    """Return what a person says about a file: ``axes``, ``key``, ``times_ms``, ``kind``. See ``engine.io.contract.OpenOptions``."""
    from engine.io.contract import OpenOptions

    return OpenOptions(**settings)


def formats() -> list[dict[str, Any]]:
    """Return all registered formats: name, title, file patterns ("*.h5"), whether we write it, description."""
    from engine.io.contract import FORMATS

    return [
        {"name": f.name, "title": f.title, "suffixes": list(f.suffixes), "writes": f.writes, "description": f.description}
        for _, f in FORMATS.items()
    ]


def samples() -> list[Sample]:
    """Return the data that ship with the program, each with licence and source."""
    from engine.io.samples import samples as listing

    return listing()


def open_sample(name: str) -> KSpaceSeries | ImageSeries:
    """Open a sample by name; raise ``UnknownNameError`` with the nearest names."""
    from engine.io.samples import open_sample as read

    return read(name)


def describe(series: KSpaceSeries | ImageSeries) -> dict[str, Any]:
    """Return what `myoscope info --json` prints for a series."""
    from engine.io.describe import describe as info

    return info(series)


def save_series(series: KSpaceSeries, path: str | Path, report: Reporter | None = None) -> None:
    """Write k-space in our own HDF5 layout."""
    from engine.io.myoscope_h5 import write_kspace

    write_kspace(path, series, report=report or silent())


def save_reconstruction(reconstruction: Reconstruction, path: str | Path) -> None:
    """Write a reconstruction in our own HDF5 layout."""
    from engine.io.myoscope_h5 import write_reconstruction

    write_reconstruction(path, reconstruction)


def open_reconstruction(path: str | Path) -> Reconstruction:
    """Read a reconstruction written by :func:`save_reconstruction`."""
    from engine.io.myoscope_h5 import read_reconstruction

    return read_reconstruction(path)


def open_mask(path: str | Path, shape: Sequence[int] | None = None) -> SamplingMask:
    """Read a sampling mask from h5, npz, npy or mat; the ``shape`` of the k-space tells (frame, ky) from (ky, kx)."""
    from engine.io.masks import read_mask

    return read_mask(path, None if shape is None else tuple(shape))


# --- sampling ---------------------------------------------------------------------------------------------------------


def mask_patterns() -> list[MaskSpec]:
    """Return all registered patterns, in alphabetical order."""
    from engine.sampling import MASKS

    return [spec for _, spec in MASKS.items()]


def make_mask(request: MaskRequest, shape: Sequence[int]) -> SamplingMask:
    """Make a mask for k-space of ``shape`` (slice, frame, coil, ky, kx)."""
    from engine.sampling import make_mask as make

    return make(request, frames=shape[-4], ky=shape[-2], kx=shape[-1])


def point_spread(mask: SamplingMask, frame: int = 0) -> Float:
    """Return the magnitude of the mask's point-spread function, float32 (y, x or 1), peak 1 in the centre."""
    from engine.sampling.psf import point_spread as psf

    return psf(mask, frame)


# --- reconstruction ---------------------------------------------------------------------------------------------------


def methods(names: Sequence[str] = (), costs: bool = True, report: Reporter | None = None) -> list[dict[str, Any]]:
    """Return what `myoscope models --json` prints: one record for each method, or each named one.

    ``costs=False`` leaves out multiply-accumulates and memory, which take up to a second for each preset of a network.
    """
    from engine.reconstruction.catalogue import methods as listing

    return listing(names, costs, report or silent())


def method_macs(name: str) -> float | None:
    """Return the multiply-accumulates of a method's default preset at the shape that its paper counts at; up to a second."""
    from engine.reconstruction.catalogue import default_macs

    return default_macs(name)


def memory_estimate(
    name: str,
    shape: Sequence[int],
    mask: SamplingMask | None = None,
    weights: str | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
) -> float | None:
    """Return the MiB that one slice of a series of ``shape`` (slice, frame, coil, ky, kx) will take; up to a second.

    None where it cannot be told. See :func:`engine.reconstruction.catalogue.memory_for`.
    """
    from engine.reconstruction.catalogue import memory_for

    return memory_for(name, shape, mask, weights, settings, device)


def reconstruct(request: ReconRequest, report: Reporter | None = None) -> Reconstruction:
    """Undersample, reconstruct and return images on the data's own scale. See :mod:`engine.reconstruction.reconstruct`."""
    from engine.reconstruction.reconstruct import reconstruct as run

    return run(request, report or silent())


def reference(
    series: KSpaceSeries,
    slices: Sequence[int] | None = None,
    frames: Sequence[int] | None = None,
    report: Reporter | None = None,
) -> Complex:
    """Return the fully sampled, coil-combined image complex64 (slice, frame, y, x) of a fully sampled series."""
    from engine.reconstruction.reconstruct import reference_image

    return reference_image(series, slices, frames, report or silent())


def preview(series: KSpaceSeries, mask: SamplingMask | None, slice_index: int, frame: int) -> Complex:
    """Return the zero-filled image of one frame, complex64 (y, x), fast enough to follow a slider."""
    from engine.reconstruction.preview import preview as run

    return run(series, mask, slice_index, frame)


# --- evaluation -------------------------------------------------------------------------------------------------------


def metrics() -> list[dict[str, Any]]:
    """Return all registered metrics: name, title, unit, direction, source."""
    from engine.metrics import METRICS

    return [
        {
            "name": m.name,
            "title": m.title,
            "unit": m.unit,
            "higher_is_better": m.higher_is_better,
            "takes_region": m.takes_region,
            "source": m.source,
        }
        for _, m in METRICS.items()
    ]


def evaluate(
    estimate: Complex,
    reference_images: Complex,
    metric_names: Sequence[str] = ("psnr", "ssim", "nmse"),
    region: Region | None = None,
    protocol: str = "myoscope",
    report: Reporter | None = None,
    kind: Kind = Kind.UNKNOWN,
) -> list[Score]:
    """Score an estimate against a reference, both (slice, frame, y, x). See :mod:`engine.evaluation.score`."""
    from engine.evaluation.score import score

    return score(estimate, reference_images, metric_names, region, protocol, report or silent(), kind)


def dynamic_region(reference_images: Complex, percentile: float = 90.0) -> Region:
    """Return the dynamic region of CRUNet-MR (section 3.4): temporal standard deviation above its percentile, per slice."""
    from engine.evaluation.regions import dynamic_region as find

    return find(reference_images, percentile)


def static_region(reference_images: Complex, percentile: float = 90.0) -> Region:
    """Return the complement of the dynamic region."""
    from engine.evaluation.regions import static_region as find

    return find(reference_images, percentile)


def region_by_name(name: str, reference_images: Complex, percentile: float = 90.0) -> Region | None:
    """Return the region called whole (None), dynamic or static, or the one in a mask file of that path."""
    from engine.evaluation.regions import region_by_name as find

    return find(name, reference_images, percentile)


# --- relaxometry ------------------------------------------------------------------------------------------------------


def fit_models() -> list[dict[str, Any]]:
    """Return all signal models: name, title, quantity, parameters, minimum_samples, signed, efficiency, network, source."""
    from engine.relaxometry.contract import MODELS

    return [
        {
            "name": m.name,
            "title": m.title,
            "quantity": m.quantity,
            "parameters": list(m.parameters),
            "minimum_samples": m.minimum_samples,
            "signed": list(m.modes),
            "efficiency": m.look_locker,
            "network": m.network is not None,
            "source": m.source,
        }
        for _, m in MODELS.items()
    ]


def fit_maps(
    images: Any,
    request: FitRequest,
    report: Reporter | None = None,
    *,
    times_ms: Any = None,
    title: str = "",
    kind: Kind = Kind.UNKNOWN,
    slices: tuple[int, ...] = (),
    voxel_mm: tuple[float, float, float] | None = None,
) -> MapSet:
    """Fit T1 or T2 in every pixel of images (slice, frame, y, x). See :func:`engine.relaxometry.fit.fit_maps`."""
    from engine.relaxometry.fit import fit_maps as run

    load = _weights_loader(request.model)
    return run(images, request, report, times_ms=times_ms, title=title, kind=kind, slices=slices, voxel_mm=voxel_mm, load=load)


def fit_map(
    reconstruction: Reconstruction, request: FitRequest, report: Reporter | None = None, *, reference: bool = False
) -> MapSet:
    """Fit the images of a reconstruction, or with ``reference`` those of its reference; times and the rest are its own."""
    from engine.relaxometry.fit import fit_map as run

    return run(reconstruction, request, report, reference=reference, load=_weights_loader(request.model))


def _weights_loader(model: str) -> Callable[..., Any] | None:
    """Return what loads the network behind a model of relaxometry, None for a fit."""
    from engine.relaxometry.contract import MODELS

    if MODELS.get(model).network is None:
        return None
    from engine.reconstruction.weights import load

    return load


def fit_pixel(maps: MapSet, slice_index: int, y: int, x: int) -> PixelFit:
    """Return samples with recovered sign, curve, parameters with 95 % intervals and residuals of one pixel."""
    from engine.relaxometry.pixel import fit_pixel as run

    return run(maps, slice_index, y, x)


def save_maps(maps: MapSet, path: str | Path) -> None:
    """Write maps: HDF5 (``.h5``), NIfTI of the asked quantity (``.nii.gz``), or a folder of NIfTI files; BIDS, in seconds."""
    from engine.io.maps import save_maps as write

    write(maps, path)


def open_maps(path: str | Path) -> MapSet:
    """Read maps that :func:`save_maps` wrote as HDF5."""
    from engine.io.maps import read_maps

    return read_maps(path)


def describe_maps(path: str | Path) -> dict[str, Any] | None:
    """Return what `myoscope info --json` prints for a file of maps, None for any other file."""
    from engine.io.maps import describe

    return describe(path)


def warm_up_fit() -> None:
    """Load (or, on a new machine, compile) what fits, so that the first map is instant. Call it from a job."""
    from engine.relaxometry.fit import warm_up as run

    run()


def register_series(
    images: Any, times_ms: Any, model: str, how: str, report: Reporter | None = None, **options: Any
) -> tuple[Any, Float, Float, Float]:
    """Bring frames of other contrast into register. See :func:`engine.relaxometry.motion.register_series`.

    Returns images (slice, frame, y, x), displacement (slice, frame, 2, y, x) in pixels, and the fit's residual before and after
    (slice,). ``options``: ``signed``, ``region`` (bool (slice, y, x)).
    """
    from engine.relaxometry.motion import register_series as run

    return run(images, times_ms, model, how, report or silent(), **options)


def contour_region(points: Any, shape: tuple[int, int]) -> Bool:
    """Return the pixels (y, x) inside an outline (N, 2) of (y, x). See :mod:`engine.relaxometry.contours`."""
    from engine.relaxometry.contours import contour_region as run

    return run(points, shape)


def segments(
    endo: Any,
    epi: Any,
    insertion: tuple[float, float],
    clockwise: bool,
    level: str,
    shape: tuple[int, int],
    *,
    pixel_mm: tuple[float, float] = (1.0, 1.0),
) -> dict[int, Bool]:
    """Return the AHA segments of a slice: number -> pixels (y, x). See :func:`engine.relaxometry.segments.segments`."""
    from engine.relaxometry.segments import segments as run

    return run(endo, epi, insertion, clockwise, level, shape, pixel_mm=pixel_mm)


def segment_table(map_: ParameterMap, slice_index: int, masks: Mapping[int, Bool]) -> list[dict[str, Any]]:
    """Return segment, name, mean, sd, median, n, n_invalid of each mask. See :mod:`engine.relaxometry.segments`."""
    from engine.relaxometry.segments import segment_table as run

    return run(map_, slice_index, masks)


def bullseye(map_: ParameterMap, masks: Mapping[int, Mapping[int, Bool]]) -> list[dict[str, Any]]:
    """Return statistics of all 16 segments over all slices. See :func:`engine.relaxometry.segments.bullseye`."""
    from engine.relaxometry.segments import bullseye as run

    return run(map_, masks)


def ecv(
    native: MapSet, post: MapSet, blood: Region, haematocrit: float, myocardium: Region | None = None, **options: Any
) -> tuple[ParameterMap, dict[str, Any]]:
    """Return the extracellular volume in percent and its summary. See :func:`engine.relaxometry.ecv.ecv`, also for ``options``."""
    from engine.relaxometry.ecv import ecv as run

    return run(native, post, blood, haematocrit, myocardium, **options)


def compare_maps(
    maps: MapSet, reference: MapSet, region: Region | None = None, *, masks: Mapping[int, Mapping[int, Bool]] | None = None
) -> dict[str, Any]:
    """Return bias, limits of agreement and the difference map. See :func:`engine.relaxometry.compare.compare_maps`."""
    from engine.relaxometry.compare import compare_maps as run

    return run(maps, reference, region, masks=masks)


def disagreement(fits: Sequence[MapSet]) -> ParameterMap:
    """Return the standard deviation of T1 or T2 across methods, where all have a value."""
    from engine.relaxometry.compare import disagreement as run

    return run(fits)


def site_references(path: str | Path | None = None) -> list[dict[str, Any]]:
    """Return the user's own reference values: quantity, field_t, sequence, mean, sd, note, name, unit; none are built in."""
    from engine.relaxometry.references import as_record, read_references

    return [as_record(site) for site in read_references(path)]


def save_site_references(entries: Sequence[Mapping[str, Any]], path: str | Path | None = None) -> Path:
    """Write the whole table of reference values and return where."""
    from engine.relaxometry.references import save_references

    return save_references(entries, path)


def z_score(value: float, reference: Mapping[str, Any]) -> float:
    """Return how many standard deviations a value lies from the mean of a site reference."""
    from engine.relaxometry.references import z_score as run

    return run(value, reference)


# --- making data ------------------------------------------------------------------------------------------------------


def phantom_request(**settings: Any) -> PhantomRequest:
    """Return a phantom to make: ``kind``, ``matrix``, ``coils`` ... See :class:`engine.phantom.acquire.PhantomRequest`."""
    from engine.phantom.acquire import PhantomRequest

    return PhantomRequest(**settings)


def make_phantom(request: PhantomRequest, report: Reporter | None = None) -> tuple[KSpaceSeries, Mapping[str, Any]]:
    """Make a numerical phantom series and its truth maps. See :mod:`engine.phantom.acquire`."""
    from engine.phantom.acquire import make_phantom as make

    return make(request, report or silent())


def simulate(
    images: ImageSeries, coils: int = 10, snr: float = 40.0, seed: int = 0, report: Reporter | None = None
) -> KSpaceSeries:
    """Make multi-coil k-space from images, lazily, slice by slice; the result says "simulated coils"."""
    from engine.phantom.simulate import simulate as make

    return make(images, coils, snr, seed, report or silent())


# --- training ---------------------------------------------------------------------------------------------------------


def losses() -> list[dict[str, Any]]:
    """Return all loss terms: name, title, needs_target, networks (empty: any), source."""
    from engine.losses import LOSSES

    return [
        {
            "name": loss.name,
            "title": loss.title,
            "needs_target": loss.needs_target,
            "needs_mapping": loss.needs_mapping,
            "networks": list(loss.networks),
            "source": loss.source,
        }
        for _, loss in LOSSES.items()
    ]


def train_config_schema() -> list[dict[str, Any]]:
    """Return every setting of a training configuration in order, for a form. See :func:`engine.training.schema.schema`."""
    from engine.training.schema import schema

    return schema()


def train_presets() -> list[dict[str, Any]]:
    """Return the recipes that come with the program: name, title, notes, values (nested)."""
    from engine.training.presets import presets

    return presets()


def check_train_config(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is wrong with a configuration (nested plain values): fields, message, hint. Empty when it can be trained."""
    from engine.training.checks import as_plain, problems_of

    return [as_plain(problem) for problem in problems_of(values)]


def estimate_training(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return memory_mib and seconds_per_step (None where they cannot be told) and the sizes they hold for."""
    from engine.training.config import from_values
    from engine.training.estimate import estimate

    return estimate(from_values(values))


def train(
    values: Mapping[str, Any], folder: str | Path, sink: Callable[[dict[str, Any]], None], resume: bool = False
) -> str | None:
    """Train in this process and return the id of the new weights. See :func:`engine.training.run.run`."""
    from engine.training.config import from_values
    from engine.training.run import run

    return run(from_values(values), Path(folder), sink, resume)


def runs() -> list[dict[str, Any]]:
    """Return all training runs, newest first. See :func:`engine.training.run.runs`."""
    from engine.training.run import runs as listing

    return listing()


def run_log(folder: str | Path) -> list[dict[str, Any]]:
    """Return the steps and validations that a run wrote down, as its events were; [] when it kept no log."""
    from engine.training.events import read_log

    return read_log(Path(folder))


def run_config(folder: str | Path) -> dict[str, Any]:
    """Return the configuration of a run as nested plain values."""
    from engine.training.config import to_values
    from engine.training.run import read_run

    return to_values(read_run(Path(folder)))


def new_run_folder(name: str) -> str:
    """Return a folder for a new run, which does not exist yet."""
    from engine.training.run import new_folder

    return str(new_folder(name))


def tell_run(folder: str | Path, word: str) -> None:
    """Tell a run to ``pause``, ``go`` on, ``stop`` and keep the best, or ``discard``."""
    from engine.training.events import tell

    tell(Path(folder), word)


def remove_run(folder: str | Path) -> None:
    """Delete the folder of a run that is over; its weights stay."""
    from engine.training.run import remove_run as remove

    remove(Path(folder))


# --- weights, benchmarks, machine -------------------------------------------------------------------------------------


def weights() -> list[dict[str, Any]]:
    """Return every set of weights at hand with its model card."""
    from engine.weights.library import listing

    return listing()


def weight_sources() -> list[dict[str, Any]]:
    """Return the sources that published weights can be imported from: name, title, networks, licence, address."""
    from engine.weights.published import PUBLISHED

    return [
        {"name": s.name, "title": s.title, "networks": list(s.networks), "licence": s.licence, "url": s.url}
        for _, s in PUBLISHED.items()
    ]


def import_weights(path: str | Path, source: str | None = None, name: str | None = None) -> str:
    """Import weights and return their id: published ones of a source, or, without one, those that `export_weights` wrote."""
    if source is None:
        from engine.weights.library import take

        return take(path, name).card.id
    from engine.reconstruction.weights import import_weights as run

    return run(path, source, name)


def weights_card(name: str) -> dict[str, Any]:
    """Return the model card of one set of weights."""
    from engine.weights.library import card

    return card(name)


def verify_weights() -> dict[str, bool]:
    """Check every weight file against the hash in its card."""
    from engine.weights.library import verify

    return verify()


def remove_weights(name: str) -> None:
    """Remove imported or fine-tuned weights; those that ship stay. `restore_weights` undoes it."""
    from engine.weights.library import remove

    remove(name)


def restore_weights(name: str) -> None:
    """Bring removed weights back."""
    from engine.weights.library import restore

    restore(name)


def export_weights(name: str, path: str | Path) -> str:
    """Copy weights and their card to a folder or a new file; return the file."""
    from engine.weights.library import export

    return str(export(name, path))


def note_weights(name: str, notes: str) -> None:
    """Write notes on the card of imported or fine-tuned weights."""
    from engine.weights.library import annotate

    annotate(name, notes)


def benchmarks() -> list[str]:
    """Return the names of all benchmarks."""
    from engine.bench import BENCHES

    return BENCHES.names()


def bench(names: Sequence[str], quick: bool = False, report: Reporter | None = None) -> list[BenchResult]:
    """Run benchmarks: ratios against named alternatives, one thread, in one run."""
    from engine.bench.contract import run

    return run(names, quick, report or silent())


def doctor() -> dict[str, Any]:
    """Return versions, devices, memory and weights: what a bug report needs."""
    from engine.reconstruction.doctor import doctor as run

    return run()


def memory() -> tuple[float, float]:
    """Return (used, total) memory of the machine in MiB. Cheap; torch is not loaded."""
    from engine.core.device import memory as probe

    found = probe()
    return found.total_mib - found.free_mib, found.total_mib


def device_label(name: str = "auto") -> str:
    """Return the device in words. Loads torch: call it from a job."""
    from engine.core import device

    return device.label(device.choose(name))


def warm_up() -> None:
    """Load torch and what reconstructions need, and leave one core to the window. Call it from a job after the window is up."""
    from engine.core import device

    device.use_polite_threads()
    from engine.reconstruction.warm_up import warm_up as run

    run()
