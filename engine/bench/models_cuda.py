"""The networks' lines on a GPU: plain form, fast form, channels-last, bfloat16, and a captured graph where one can be captured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from engine.bench.contract import wall_seconds
from engine.bench.networks import PAPER_MACS, Sizes, build, measured, relative
from engine.core.jobs import Reporter
from engine.core.records.machine import BenchResult
from engine.evaluation.complexity import macs
from engine.models import MODELS, ModelSpec, ReconInput
from engine.models.parts.forms import plain_forms
from engine.reconstruction.precision import autocast

WARM_UPS = 3
GPU_FASTER = 20  # so much more work than on a CPU is bearable


def run(sizes: Sizes, report: Reporter) -> Iterator[BenchResult]:
    """Yield the lines of every network; seconds are wall time up to the end of all kernels, data consistency's set-up included."""
    networks = [spec for _, spec in MODELS.items() if spec.trainable]
    for number, spec in enumerate(networks):
        report.step(number, len(networks), f"{spec.title} on CUDA")
        frames = spec.frames_of(next(iter(spec.presets.values()))) or sizes[0]
        fitted = (frames, min(sizes[1], spec.max_coils or sizes[1]), *sizes[2:])
        default = next(iter(spec.presets))
        count = macs(spec, spec.presets[default], fitted)
        preset = default if count is not None and count < GPU_FASTER * PAPER_MACS else "small"
        yield from _network(spec, preset, fitted)


def _network(spec: ModelSpec, preset: str, sizes: Sizes) -> Iterator[BenchResult]:
    case, device = measured(sizes), torch.device("cuda")
    network = build(spec, preset).to(device)

    def work(kind: str = "float32") -> Tensor:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False), autocast(kind, device):
            image: Tensor = network(case.data(spec, device))
        torch.cuda.synchronize(device)
        return image

    def plainly() -> Tensor:
        with plain_forms():
            return work()

    other_s, other_peak, expected = _timed(plainly)
    forms: list[tuple[str, Callable[[], Tensor]]] = [("float32", work), ("bfloat16", lambda: work("bfloat16"))]
    what = f"{spec.name} {preset}, {' x '.join(map(str, sizes))}, CUDA"
    for title, form in forms:
        yield _line(f"{what} {title}", *_timed(form), other_s, other_peak, expected)
    if any(isinstance(layer, nn.Conv2d) for layer in network.modules()):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch tells no type for it alone
        yield _line(f"{what} float32 channels-last", *_timed(work), other_s, other_peak, expected)
        yield _line(f"{what} bfloat16 channels-last", *_timed(forms[1][1]), other_s, other_peak, expected)
    captured = _captured(network, case.data(spec, device))
    if captured is not None:
        yield _line(f"{what} float32, captured graph", *_timed(captured), other_s, other_peak, expected)


def _timed(work: Callable[[], Tensor]) -> tuple[float, float, Tensor]:
    """Return seconds, the most memory that was allocated in MiB, and the image."""
    for _ in range(WARM_UPS):
        work()
    torch.cuda.reset_peak_memory_stats()
    spent, image = wall_seconds(work, 5)
    return spent, torch.cuda.max_memory_allocated() / 2**20, image.clone()


def _captured(network: nn.Module, data: ReconInput) -> Callable[[], Tensor] | None:
    """Return a run of the network as one captured graph, None where it asks for values on the way and cannot be captured.

    The graph holds the network alone: the operator has its Gram matrices from before.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            network(data)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.inference_mode(), torch.cuda.graph(graph):
            image: Tensor = network(data)
    except RuntimeError:  # something is read back from the GPU
        torch.cuda.synchronize()
        return None

    def replay() -> Tensor:
        graph.replay()
        torch.cuda.synchronize()
        return image

    return replay


def _line(case: str, ours_s: float, peak: float, image: Tensor, other_s: float, other_peak: float, expected: Tensor) -> BenchResult:
    return BenchResult(
        "models",
        case,
        ours_s,
        "plain form on the same GPU",
        other_s,
        other_s / ours_s,
        f"{peak:.0f} MiB",
        f"{other_peak:.0f} MiB",
        1,
        f"{relative(image, expected):.0e}",
    )
