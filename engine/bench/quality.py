"""How good every method is on images that no training has seen: PSNR and SSIM, in the whole image and in its dynamic region.

*Cine*: slices 8 to 11 of the porcine stack (the first four of the sample; the weights that ship saw other slices of this pig), seen
by 8 simulated coils at SNR 100, equispaced masks with 24 ACS lines, R 4, 8 and 12. All weights at hand whose network serves
a cine take part, with coil maps estimated from the ACS lines as in any reconstruction; so do the classical methods, with their
defaults. The other side is BART's wavelet where it is installed: it gets the same maps, its weight is the best of four on the first
slice (by PSNR against the truth, which no user has), and its image the best scale; otherwise our own ``l1_wavelet``.

*MOLLI*: numerical hearts with seeds that training never draws, with the error of T1 in the myocardium beside: mean absolute
difference of the fit from the map that an exact fit of the noise-free signal gives.

Scores are those of ``myoscope evaluate``, their mean over slices; seconds are of one thread, for one slice, without the coil maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.bench import reconstruction_peers as peers
from engine.bench.contract import BENCHES, BenchSpec, seconds
from engine.bench.reconstruction_peers import Bart, Problem
from engine.core.axes import KSPACE_FRAME, KX, KY
from engine.core.jobs import Reporter, silent
from engine.core.maps import FitRequest
from engine.core.records.machine import BenchResult
from engine.core.requests import MaskRequest, ReconRequest
from engine.core.types import Complex, Float, ImageSeries, KSpaceSeries, Region, SamplingMask
from engine.evaluation.regions import dynamic_region
from engine.evaluation.score import score as evaluate
from engine.io.samples import open_sample
from engine.models import MODELS
from engine.phantom.acquire import make_phantom
from engine.phantom.request import PhantomRequest
from engine.phantom.simulate import simulate
from engine.phantom.tissues import Structure
from engine.physics.scaling import scale_of
from engine.reconstruction.inputs import coil_maps, reference_image
from engine.reconstruction.plan import reconstruct
from engine.reconstruction.weights import make_config
from engine.relaxometry.fit import fit_maps
from engine.sampling import make_mask
from engine.weights.library import installed

ACCELERATIONS, ACS = (4, 8, 12), 24
COILS, SNR = 8, 100.0
SLICES = (0, 1, 2, 3)  # of the sample: 8 to 11 of the stack
MATRIX, SCHEME = (192, 160), "4(1)3(1)2"  # nine images, which the mapping networks are made for
HEARTS = (2**31, 2**31 + 1)  # training draws seeds below
CLASSICAL = ("zero_filled", "cg_sense", "grappa", "low_rank_sparse", "l1_wavelet")
BASELINE = "l1_wavelet"
BART_ITERATIONS, BART_WEIGHTS = 30, (0.001, 0.002, 0.004, 0.008)
PURE = 0.99  # share of the tissue in a pixel
DYNAMIC_PERCENTILE = 90.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A method with its weights, None for a classical one."""

    method: str
    weights: str | None = None

    @property
    def label(self) -> str:
        """The method, and the weights where their name says more."""
        return self.method if self.weights in (None, self.method) else f"{self.method} ({self.weights})"


@dataclass(frozen=True, slots=True)
class Score:
    """Means over slices: seconds; PSNR in dB and SSIM, whole and dynamic region; error of T1 in ms, also fully sampled."""

    seconds: float
    psnr: float
    ssim: float
    dynamic_psnr: float | None = None
    dynamic_ssim: float | None = None
    t1_ms: float | None = None
    t1_full_ms: float | None = None

    def words(self) -> str:
        """Return the numbers as the table shows them."""
        text = f"{self.psnr:.2f} dB, SSIM {self.ssim:.4f}"
        if self.dynamic_psnr is not None:
            text += f"; dynamic {self.dynamic_psnr:.2f} dB, {self.dynamic_ssim:.4f}"
        return text if self.t1_ms is None else f"{text}; T1 error {self.t1_ms:.1f} ms (fully sampled {self.t1_full_ms:.1f})"


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One slice to reconstruct; ``t1_ms`` (y, x) is the true reading in pure myocardium, 0 elsewhere, None for a cine."""

    series: KSpaceSeries
    index: int
    t1_ms: Float | None = None

    def reference(self) -> Complex:
        """Return the fully sampled image, complex64 (1, frame, y, x)."""
        return reference_image(self.series, [self.index], None, silent())

    def t1_error(self, image: Complex) -> float:
        """Return the mean absolute error of T1 in myocardium, ms, of a fit to (1, frame, y, x), where the fit has an answer."""
        assert self.t1_ms is not None
        maps = fit_maps(image, FitRequest("molli3"), silent(), times_ms=self.series.times_ms)
        inside = self.t1_ms > 0
        return float(np.nanmean(np.abs(maps.maps["t1_ms"].values[0] - self.t1_ms)[inside]))


def run(quick: bool, report: Reporter) -> Iterator[BenchResult]:
    """Yield a line for each kind of series, acceleration and method; ``quick`` takes one slice at R 8."""
    accelerations = (8,) if quick else ACCELERATIONS
    report.step(0, 1, "hearts")
    cine = _porcine()
    stacks = {
        "cine": [Subject(cine, n) for n in (SLICES[1:2] if quick else SLICES)],
        "molli": [_heart(seed, report) for seed in (HEARTS[:1] if quick else HEARTS)],
    }
    tables = [(kind, acceleration) for kind in stacks for acceleration in accelerations]
    for number, (kind, acceleration) in enumerate(tables):
        part = report.part(number / len(tables), 1 / len(tables), f"{kind}, R {acceleration}: ")
        yield from _table(kind, stacks[kind], acceleration, part)


def entries(kind: str, frames: int) -> list[Entry]:
    """Return the classical methods, and every set of weights at hand that reconstructs series of a kind with so many frames."""
    found = [Entry(name) for name in CLASSICAL]
    for one in installed():
        spec = MODELS.get(one.card.network) if one.card.network in MODELS.names() else None
        if spec is None or kind not in spec.kinds:
            continue
        if spec.frames_of(make_config(spec, one.card.config, one.card.id)) in (None, frames):
            found.append(Entry(spec.name, one.card.id))
    return found


def _porcine() -> KSpaceSeries:
    images = open_sample("porcine_cine")
    assert isinstance(images, ImageSeries)
    return simulate(images, COILS, SNR, 0, silent())


def _heart(seed: int, report: Reporter) -> Subject:
    request = PhantomRequest(kind="molli", scheme=SCHEME, matrix=MATRIX, coils=COILS, snr=SNR, seed=seed)
    series, truth = make_phantom(request, report.part(0.0, 0.0))
    pure = (truth["labels"][0, 0] == int(Structure.LV_MYOCARDIUM)) & (truth["purity"][0] > PURE)
    return Subject(series, 0, np.where(pure, truth["t1_fit_ms"][0], 0.0).astype(np.float32))


def _table(kind: str, subjects: Sequence[Subject], acceleration: int, report: Reporter) -> Iterator[BenchResult]:
    """Yield one line for each method, at one acceleration of one kind of series."""
    series = subjects[0].series
    mask = make_mask(MaskRequest("equispaced", acceleration, ACS), *(series.shape[axis] for axis in (KSPACE_FRAME, KY, KX)))
    methods = entries(kind, series.shape[KSPACE_FRAME])
    report.step(0, len(methods) + 1, "the other side")
    other = _bart(subjects, mask, report) if peers.has_bart() else None
    name, against = other or (BASELINE, _score(Entry(BASELINE), subjects, mask, report.part(0.0, 0.0)))
    for number, entry in enumerate(methods):
        report.step(1 + number, len(methods) + 1, entry.label)
        score = _score(entry, subjects, mask, report.part((1 + number) / (len(methods) + 1), 0.0))
        yield BenchResult(
            benchmark="quality",
            case=f"{kind}, R {acceleration}: {entry.label}",
            ours_s=score.seconds,
            other=name,
            other_s=against.seconds,
            ratio=against.seconds / score.seconds,
            quality_ours=score.words(),
            quality_other=against.words(),
            difference=f"{score.psnr - against.psnr:+.2f} dB",
        )


def _score(entry: Entry, subjects: Sequence[Subject], mask: SamplingMask, report: Reporter) -> Score:
    """Reconstruct and judge every subject."""
    scores = []
    for subject in subjects:
        request = ReconRequest(
            subject.series, entry.method, mask, weights=entry.weights, slices=(subject.index,), device="cpu", reference=False
        )
        # Once: a network of ten seconds is not run three times. The first run of all finds the coil maps, which are kept.
        _maps(subject, mask)
        spent, result = seconds(partial(reconstruct, request, report), 1)
        scores.append(_judge(subject, spent, result.image))
    return _mean(scores)


def _judge(subject: Subject, spent: float, image: Complex) -> Score:
    """Return the scores of an image (slice, frame, y, x) of one slice."""
    reference = subject.reference()

    def values(region: Region | None) -> tuple[float, float]:
        found = {one.metric: one.value for one in evaluate(image, reference, ("psnr", "ssim"), region) if one.slice == "all"}
        return found["psnr"], found["ssim"]

    whole = values(None)
    if subject.t1_ms is None:
        return Score(spent, *whole, *values(dynamic_region(reference, DYNAMIC_PERCENTILE)))
    return Score(spent, *whole, t1_ms=subject.t1_error(image), t1_full_ms=subject.t1_error(reference))


def _mean(scores: Sequence[Score]) -> Score:
    columns = zip(*(astuple(score) for score in scores), strict=True)
    means: list[Any] = [None if column[0] is None else float(np.mean(column)) for column in columns]
    return Score(*means)


def _maps(subject: Subject, mask: SamplingMask) -> tuple[Tensor, Tensor]:
    """Return the undersampled k-space (frame, coil, ky, kx) and the coil maps (coil, y, x) that every method gets."""
    series, index = subject.series, subject.index
    lines = torch.from_numpy(mask.lines.copy())
    kspace = torch.from_numpy(np.array(series.read(index))) * lines[:, None]
    return kspace, coil_maps(series, index, tuple(range(series.shape[KSPACE_FRAME])), mask, kspace, lines)[0]


def _bart(subjects: Sequence[Subject], mask: SamplingMask, report: Reporter) -> tuple[str, Score]:
    """Return BART's wavelet with the weight that is best on the first slice, and its scores."""
    scores: list[Score] = []
    chosen = ""
    for number, subject in enumerate(subjects):
        kspace, maps = _maps(subject, mask)
        truth = torch.from_numpy(subject.reference()[0])
        lines = torch.from_numpy(mask.lines.copy())
        assert mask.acs is not None
        # Scaled like a network's input, as its weights are meant; the best scale of the result is then taken out again.
        scale = scale_of(kspace, lines, "zero_filled_p99")
        with Bart(Problem(kspace / scale, lines, maps, truth, 0, mask.acs)) as bart:
            tried = []
            for weight in [f"{w:g}" for w in BART_WEIGHTS] if number == 0 else [chosen]:
                report.step(number, len(subjects), f"BART, weight {weight}")
                spent, image = bart.pics([f"-i{BART_ITERATIONS}", "-RW:3:0:" + weight])
                fitted = image * ((image.abs() * truth.abs()).sum() / image.abs().square().sum())
                tried.append((_judge(subject, spent, fitted.numpy()[None]), weight))
        best, chosen = max(tried, key=lambda pair: pair[0].psnr)
        scores.append(best)
    return f"BART pics -i{BART_ITERATIONS} -RW:3:0:{chosen}", _mean(scores)


BENCHES.register("quality", BenchSpec(name="quality", title="Quality on images kept out of training", run=run))
