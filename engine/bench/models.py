"""Every network in its fast form against its plain form: CPU seconds of one thread, peak memory, and how far the two are apart.

The plain form is the same network with the same weights, inside our own code: data consistency by Fourier transforms with coils,
loops over frames and gates, library decompositions (:mod:`engine.models.parts.forms`). Weights are random, each moved a little so
that no layer is zero; the data are the porcine cine seen by simulated coils. Networks are measured in their paper's size where that
takes well under a minute, otherwise in their small one; on a GPU :mod:`engine.bench.models_cuda` adds its lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from engine.bench.contract import BENCHES, BenchSpec, seconds
from engine.bench.networks import PAPER_MACS, Measured, Sizes, build, measured, peak_mib, relative
from engine.core.jobs import Reporter
from engine.core.records.machine import BenchResult
from engine.evaluation.complexity import macs
from engine.models import MODELS, ModelSpec
from engine.models.parts.forms import plain_forms
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator
from engine.physics.solvers import conjugate_gradient
from engine.reconstruction.precision import autocast, has_fast_bfloat16

SMALL: Sizes = (12, 10, 128, 128)
FULL: Sizes = (12, 10, 204, 448)
QUICK: Sizes = (6, 4, 96, 96)
FULL_MACS = 150e9
CASCADES = 10
QUICK_SECONDS = 3.0


def run(quick: bool, report: Reporter) -> Iterator[BenchResult]:
    """Yield lines for data consistency, then for each network at one or two sizes, then those of a GPU if there is one."""
    report.step(0, 1, "data consistency")
    yield from _data_consistency(QUICK if quick else FULL)
    networks = [spec for _, spec in MODELS.items() if spec.trainable]
    for number, spec in enumerate(networks):
        for sizes in (QUICK,) if quick else (SMALL, FULL):
            preset = _preset(spec, sizes, quick)
            if preset is None:
                continue
            report.step(number, len(networks), f"{spec.title}, {preset}")
            yield from _network(spec, preset, _sizes(spec, preset, sizes), report)
    if torch.cuda.is_available():
        from engine.bench.models_cuda import run as on_cuda

        yield from on_cuda(QUICK if quick else SMALL, report)


def _preset(spec: ModelSpec, sizes: Sizes, quick: bool) -> str | None:
    """Return which preset is bearable at a size, None when none is or the case is not for this network."""
    default = next(iter(spec.presets))
    if quick:
        return "small" if "small" in spec.presets else default
    limit = PAPER_MACS if sizes == SMALL else FULL_MACS
    if sizes == FULL and "cine" not in spec.kinds:
        return None
    for preset in (default, "small") if sizes == SMALL else ("small",):
        if preset in spec.presets:
            count = macs(spec, spec.presets[preset], _sizes(spec, preset, sizes))
            if count is not None and count <= limit:
                return preset
    return None


def _sizes(spec: ModelSpec, preset: str, sizes: Sizes) -> Sizes:
    frames, coils, height, width = sizes
    return (spec.frames_of(spec.presets[preset]) or frames, min(coils, spec.max_coils or coils), height, width)


def _network(spec: ModelSpec, preset: str, sizes: Sizes, report: Reporter) -> Iterator[BenchResult]:
    case = measured(sizes)
    network = build(spec, preset)
    cpu = torch.device("cpu")

    def work(precision: str = "float32") -> Tensor:
        with torch.inference_mode(), autocast(precision, cpu):
            image: Tensor = network(case.data(spec))
        return image

    def plainly() -> Tensor:
        with plain_forms():
            return work()

    report.check()
    ours_s, peak, image = _timed(work)
    report.check()
    other_s, other_peak, expected = _timed(plainly)
    what = f"{spec.name} {preset}, {' x '.join(map(str, sizes))}"
    yield _line(what, ours_s, "plain form", other_s, peak, other_peak, f"{relative(image, expected):.0e}")
    if has_fast_bfloat16(cpu):
        report.check()
        short_s, short_peak, short = _timed(lambda: work("bfloat16"))
        error = relative(short, expected)
        yield _line(f"{what}, bfloat16", short_s, "plain form, float32", other_s, short_peak, other_peak, f"{error:.0e}")


def _timed(work: Callable[[], Tensor]) -> tuple[float, float | None, Tensor]:
    """Return CPU seconds, peak memory and the result; what is quick is run again, as the first run compiles oneDNN's kernels."""
    kept: list[tuple[float, Tensor]] = []
    peak = peak_mib(lambda: kept.append(seconds(work, 1)))
    if not kept:
        kept.append(seconds(work, 1))
    if kept[0][0] < QUICK_SECONDS:
        kept.append(seconds(work, 2))
    return min(spent for spent, _ in kept), peak, kept[0][1]


def _line(
    case: str, ours_s: float, other: str, other_s: float, peak: float | None, other_peak: float | None, difference: str
) -> BenchResult:
    return BenchResult("models", case, ours_s, other, other_s, other_s / ours_s, _mib(peak), _mib(other_peak), 1, difference)


def _mib(peak: float | None) -> str:
    return "" if peak is None else f"{peak:.0f} MiB"


def _data_consistency(sizes: Sizes) -> Iterator[BenchResult]:
    """Yield lines for the gradient and the proximal step of ten cascades, what has to be made for them included."""
    words = " x ".join(map(str, sizes))
    for pattern in ("equispaced", "kt_uniform", "pseudo_radial"):
        case = measured(sizes, pattern)
        start = case.operator().adjoint(case.kspace)

        def cascades(step: Callable[[SenseOperator, Tensor], Tensor], case: Measured = case, start: Tensor = start) -> Tensor:
            operator, x = case.operator(), start
            with torch.inference_mode():
                for _ in range(CASCADES):
                    x = x - 0.5 * (step(operator, x) - start)
            return x

        ours_s, image = seconds(lambda: cascades(SenseOperator.normal), 3)
        forms = (("Fourier transforms with coils", SenseOperator.normal_by_fft), ("the same, as written in papers", _textbook))
        for title, step in forms:
            other_s, other = seconds(partial(cascades, step), 2)
            what = f"A^H A, {CASCADES} cascades, {pattern}, {words}"
            yield _line(what, ours_s, title, other_s, None, None, f"{relative(image, other):.0e}")
    case = measured(sizes)
    rhs = case.operator().adjoint(case.kspace)

    def proximal() -> Tensor:
        operator = case.operator()
        with torch.inference_mode():
            for _ in range(CASCADES):
                x = operator.solve(rhs, 0.05)
        return x

    def iterated() -> Tensor:
        operator = case.operator()
        with torch.inference_mode():
            for _ in range(CASCADES):
                x = conjugate_gradient(lambda v: operator.normal_by_fft(v) + 0.05 * v, rhs, iterations=10, tolerance=0.0)
        return x

    (ours_s, image), (other_s, other) = seconds(proximal, 2), seconds(iterated, 1)
    what = f"proximal step, {CASCADES} cascades, equispaced, {words}"
    yield _line(what, ours_s, "10 conjugate gradients by FFT", other_s, None, None, f"{relative(image, other):.0e}")


def _textbook(operator: SenseOperator, image: Tensor) -> Tensor:
    """Return A^H A by centred transforms of all coil images, one operation after the other."""
    return combine(ifft2c(fft2c(expand(image, operator.maps)) * operator.mask), operator.maps)


BENCHES.register("models", BenchSpec(name="models", title="Networks, fast against plain form", run=run))
