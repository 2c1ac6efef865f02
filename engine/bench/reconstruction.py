"""Classical reconstruction against the plain forms and against BART, sigpy, mrpro and pygrappa: seconds and PSNR of both sides.

All get the same k-space and mask, and the coil maps of the simulation, so that only the reconstruction is compared. A peer's
weight is tuned: each is run with several and the one with the best PSNR is kept, at the time that run took. Ours runs with its
defaults, but for SENSE, where both sides solve the same equations and take the best of the same weights. PSNR is of magnitudes
against the noise-free truth after the best global scale, so that no side is judged by its scaling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.bench import reconstruction_peers as peers
from engine.bench.contract import BENCHES, BenchSpec, seconds
from engine.bench.reconstruction_peers import Bart, Problem, Timed
from engine.core.jobs import Reporter
from engine.core.records.machine import BenchResult
from engine.core.requests import MaskRequest
from engine.core.types import ImageSeries
from engine.io.samples import open_sample
from engine.models.cg_sense import CGSense, CGSenseConfig
from engine.models.contract import Method, ReconInput
from engine.models.grappa import Grappa, GrappaConfig
from engine.models.l1_wavelet import L1Wavelet, L1WaveletConfig
from engine.models.low_rank_sparse import LowRankSparse, LowRankSparseConfig
from engine.phantom.coils import CoilArray, coil_maps
from engine.phantom.phase import smooth_phase
from engine.physics.coils import expand
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator
from engine.physics.scaling import scale_of
from engine.sampling import make_mask

SNR = 100.0
FOV_MM = 300.0
ACS = 24
SLICE = 2  # of the sample: slice 10 of the stack
L_AND_S_ITERATIONS = 12


@dataclass(frozen=True, slots=True)
class Peer:
    """Something to compare with: ``runs`` are its variants by label; ``exact`` is what both would give without rounding."""

    name: str
    runs: Sequence[tuple[str, Callable[[], Timed | None]]]
    exact: Tensor | None = None


def run(quick: bool, report: Reporter) -> Iterator[BenchResult]:
    """Yield one line for each method, acceleration and peer; the methods are ``cg_sense``, ``grappa``, ``l1_wavelet``, L + S."""
    accelerations = (4,) if quick else (4, 8)
    for number, acceleration in enumerate(accelerations):
        part = report.part(number / len(accelerations), 1 / len(accelerations), f"R {acceleration}: ")
        part.step(0, 1, "simulating")
        problem = make_problem(quick, acceleration)
        if not peers.has_bart():
            yield from _all(problem, None, quick, part)
            continue
        with Bart(problem) as bart:
            yield from _all(problem, bart, quick, part)


def make_problem(quick: bool, acceleration: int) -> Problem:
    """Return the porcine cine (12 frames, 204 x 256 padded to 204 x 448) seen by 10 simulated coils, equispaced with 24 ACS."""
    series = open_sample("porcine_cine")
    assert isinstance(series, ImageSeries)
    frames, coils, height, width = (4, 6, 96, 128) if quick else (12, 10, 204, 448)
    images = series.images[SLICE, :frames].astype(np.float32)
    if quick:
        images = images[:, 80 : 80 + height, 64 : 64 + width]
    else:
        rows, columns = (images.shape[-2] - height) // 2, (width - images.shape[-1]) // 2
        images = np.pad(images[:, rows : rows + height], ((0, 0), (0, 0), (columns, columns)))
    rng = np.random.default_rng(0)
    voxel = FOV_MM / height
    array = CoilArray(coils, (0.6 * FOV_MM, 0.6 * FOV_MM * width / height))
    maps = torch.from_numpy(coil_maps(array, (height, width), (voxel, voxel)))
    truth = torch.from_numpy(images * smooth_phase((height, width), rng)).to(torch.complex64)
    kspace = fft2c(expand(truth[None], maps))[0]
    sigma = float(np.percentile(images, 95)) / SNR
    noise = rng.standard_normal((2, *kspace.shape), dtype=np.float32) * sigma
    kspace = kspace + torch.complex(torch.from_numpy(noise[0]), torch.from_numpy(noise[1]))
    mask = make_mask(MaskRequest("equispaced", acceleration, ACS), frames, height, width)
    assert mask.acs is not None
    lines = torch.from_numpy(mask.lines.copy())
    kspace = kspace * lines[:, None]
    scale = scale_of(kspace, lines, "zero_filled_p99")
    return Problem(kspace / scale, lines, maps, truth, acceleration, mask.acs)


def psnr(image: Tensor, truth: Tensor) -> float:
    """Return the peak signal-to-noise ratio in dB of magnitudes after the best global scale."""
    found, wanted = image.abs().double(), truth.abs().double()
    found = found * ((found * wanted).sum() / found.square().sum())
    return float(10 * torch.log10(wanted.max() ** 2 / (found - wanted).square().mean()))


def ours(problem: Problem, method: Method) -> Timed:
    """Return seconds, Gram matrices and all, and the images (frame, y, x) of one of our methods."""
    mask, maps = problem.mask[None, :, None], problem.maps[None, None]

    def work() -> Tensor:
        with torch.inference_mode():
            return method(ReconInput(problem.kspace[None], SenseOperator(mask, maps)))[0]

    return seconds(work, 3)


def _all(problem: Problem, bart: Bart | None, quick: bool, report: Reporter) -> Iterator[BenchResult]:
    sections = (_sense, _grappa, _wavelet, _low_rank_sparse)
    for number, section in enumerate(sections):
        yield from section(problem, bart, quick, report.part(number / len(sections), 1 / len(sections)))


def _compare(name: str, problem: Problem, mine: Timed, others: Sequence[Peer], report: Reporter) -> Iterator[BenchResult]:
    """Yield a line for each peer that is here, at the best PSNR of its variants."""
    ours_s, image = mine
    quality = psnr(image, problem.truth)
    frames, coils, height, width = problem.kspace.shape
    for number, peer in enumerate(others):
        best: tuple[float, float, str, Tensor] | None = None
        for label, work in peer.runs:
            report.step(number, len(others), f"{name}: {peer.name} {label}")
            timed = work()
            if timed is None:
                break
            found = psnr(timed[1], problem.truth)
            if best is None or found > best[0]:
                best = (found, timed[0], label, timed[1])
        if best is None:
            continue
        found, other_s, label, other = best
        difference = ""
        if peer.exact is not None:
            far = [float(torch.linalg.vector_norm(x - peer.exact) / torch.linalg.vector_norm(peer.exact)) for x in (image, other)]
            difference = f"from the iterates in double precision: ours {far[0]:.0e}, other {far[1]:.0e}"
        yield BenchResult(
            benchmark="reconstruction",
            case=f"{name}, R {problem.acceleration}, {frames} x {coils} x {height} x {width}",
            ours_s=ours_s,
            other=f"{peer.name} {label}".strip(),
            other_s=other_s,
            ratio=other_s / ours_s,
            quality_ours=f"PSNR {quality:.2f} dB",
            quality_other=f"PSNR {found:.2f} dB",
            difference=difference,
        )


def _sense(problem: Problem, bart: Bart | None, quick: bool, report: Reporter) -> Iterator[BenchResult]:
    weights = (0.01,) if quick else (0.003, 0.01, 0.03)
    others = [
        _tuned("FFT-based CG, 15 iterations", peers.plain_cg, problem, weights),
        _tuned("sigpy SenseRecon, 15 iterations", partial(peers.sigpy, "SenseRecon", 15), problem, weights),
        _tuned("mrpro cg, 15 iterations", peers.mrpro_sense, problem, weights),
    ]
    if bart is not None:
        others.append(Peer("BART pics", [_pics(bart, f"-i15 -l2 -r{w}") for w in weights]))
    mine = [ours(problem, CGSense(CGSenseConfig(weight=weight))) for weight in weights]
    yield from _compare("cg_sense", problem, max(mine, key=lambda timed: psnr(timed[1], problem.truth)), others, report)


def _grappa(problem: Problem, bart: Bart | None, quick: bool, report: Reporter) -> Iterator[BenchResult]:
    del bart  # it has no GRAPPA
    weights = (0.1,) if quick else (0.01, 0.1)
    others = [
        _tuned("pygrappa mdgrappa", partial(peers.pygrappa, "mdgrappa"), problem, weights),
        _tuned("pygrappa grappa", partial(peers.pygrappa, "grappa"), problem, weights),
    ]
    yield from _compare("grappa", problem, ours(problem, Grappa(GrappaConfig())), others, report)


def _wavelet(problem: Problem, bart: Bart | None, quick: bool, report: Reporter) -> Iterator[BenchResult]:
    weights = (0.002,) if quick else (0.0005, 0.001, 0.002, 0.004)
    levels = (0.003,) if quick else (0.003, 0.01)
    others = [
        _tuned("sigpy L1WaveletRecon, 30 iterations", partial(peers.sigpy, "L1WaveletRecon", 30), problem, levels),
    ]
    if bart is not None:
        for axes in (3, 1027):
            runs = [_pics(bart, f"-i{i} -RW:{axes}:0:{w}") for i in ((30,) if quick else (30, 60)) for w in weights]
            others.append(Peer("BART pics", runs))
    yield from _compare("l1_wavelet", problem, ours(problem, L1Wavelet(L1WaveletConfig())), others, report)


def _low_rank_sparse(problem: Problem, bart: Bart | None, quick: bool, report: Reporter) -> Iterator[BenchResult]:
    del bart, quick  # its locally low rank is another prior
    config = LowRankSparseConfig(iterations=L_AND_S_ITERATIONS, tolerance=0.0)

    plain = partial(peers.plain_low_rank_sparse, problem, config.low_rank, config.sparse, config.iterations)
    double = replace(problem, kspace=problem.kspace.to(torch.complex128), maps=problem.maps.to(torch.complex128))
    report.step(0, 2, "low_rank_sparse: double precision")
    _, exact = peers.plain_low_rank_sparse(double, config.low_rank, config.sparse, config.iterations)
    others = [Peer(f"FFT form, {config.iterations} iterations", [("", plain)], exact)]
    yield from _compare("low_rank_sparse", problem, ours(problem, LowRankSparse(config)), others, report)


def _tuned(name: str, work: Callable[[Problem, float], Timed | None], problem: Problem, weights: Sequence[float]) -> Peer:
    return Peer(name, [(f"(weight {weight:g})", partial(work, problem, weight)) for weight in weights])


def _pics(bart: Bart, options: str) -> tuple[str, Callable[[], Timed]]:
    return options, partial(bart.pics, options.split())


BENCHES.register("reconstruction", BenchSpec(name="reconstruction", title="Classical reconstruction", run=run))
