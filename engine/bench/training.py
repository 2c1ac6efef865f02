"""A training step of each network: seconds against its plain form (FFTs with coils, library decompositions), and what memory takes.

Three comparisons for each network in its small preset, on one thread, of one forward and backward pass:

- ours against the plain form (:func:`engine.models.parts.forms.plain_forms`), both in float32;
- bfloat16 against float32, where the processor multiplies bfloat16 numbers itself;
- float32 as it is against computing activations again: how much less memory for how much more time.

Memory is what tensors hold at once, from every operation of the pass, beside the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from engine.bench.contract import BENCHES, BenchSpec, seconds
from engine.core.device import MIB
from engine.core.jobs import Reporter, silent
from engine.core.records.machine import BenchResult
from engine.datasets.examples import Example
from engine.models.contract import ModelSpec
from engine.models.parts.forms import plain_forms
from engine.reconstruction.memory import LiveBytes
from engine.reconstruction.precision import has_fast_bfloat16
from engine.training.checks import check, trainable
from engine.training.config import TrainConfig, from_values
from engine.training.estimate import example_of, one_step
from engine.training.run import keep_heap

QUICK = ("myonet", "jotlasnet", "crunet_mr", "recurrent_varnet", "vn_unet", "ima")
SIZES, QUICK_SIZES = (8, 8, 160, 48), (4, 4, 96, 32)  # frame, coil, ky, kx: crops as training takes them


class Watched(TorchDispatchMode):
    """Follows what tensors hold at once inside the ``with`` block."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in torch
        self.live = LiveBytes("cpu")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.live.watch(func, args, result)
        return result

    @property
    def mib(self) -> float:
        """The most there was at once, MiB."""
        return self.live.peak / MIB


def peak_mib(work: Callable[[], object]) -> float:
    """Return what tensors made by ``work`` hold at once at most, MiB."""
    watched = Watched()
    with watched:
        work()
    return watched.mib


def configuration(network: str, spec: ModelSpec, **run: Any) -> TrainConfig:
    """Return the configuration of one network's small preset."""
    source = "phantom:cine" if "cine" in spec.kinds else "phantom:molli"
    losses = {"l1_tissue": 1.0} if network == "mapping_network" else {"l1": 1.0}
    values = {"model": {"network": network, "preset": "small"}, "data": {"sources": [{"location": source}]}, "losses": losses}
    return from_values({**values, "run": {"device": "cpu", **run}})


class Step:
    """One network with one example: forward and backward."""

    def __init__(self, network: str, sizes: tuple[int, int, int, int], **run: Any) -> None:
        self._config = configuration(network, trainable()[network], **run)
        self._spec, network_config = check(self._config)
        torch.manual_seed(0)
        module = self._spec.build(network_config)
        assert isinstance(module, nn.Module)
        self.module = module.train()
        frames = self._spec.frames_of(network_config) or sizes[0]
        self.example: Example = example_of((frames, *sizes[1:]), values=True)

    def __call__(self) -> Tensor:
        """Return the loss; gradients are in the module."""
        self.module.zero_grad(set_to_none=True)
        torch.manual_seed(1)
        return one_step(self._config, self._spec, self.module, self.example, silent())


def run(quick: bool, report: Reporter) -> Iterator[BenchResult]:
    """Yield three lines for each network."""
    keep_heap()  # as training does
    names = QUICK if quick else tuple(trainable())
    sizes = QUICK_SIZES if quick else SIZES
    for number, name in enumerate(names):
        report.step(number, len(names), name)
        yield from _compare(name, sizes, quick)


def _compare(name: str, sizes: tuple[int, int, int, int], quick: bool) -> Iterator[BenchResult]:
    repeats = 2 if quick else 3
    usual, again = Step(name, sizes), Step(name, sizes, checkpointing=True)
    case = f"{name}, small, {' x '.join(map(str, usual.example.kspace.shape[1:]))}"
    usual()  # warms up
    ours_s, ours = seconds(usual, repeats)
    memory = peak_mib(usual)

    def plainly() -> Tensor:
        with plain_forms():
            return usual()

    plain_s, plain = seconds(plainly, repeats)
    yield _line(case, ours_s, memory, "plain form", plain_s, peak_mib(plainly), _apart(ours, plain))
    again_s, repeated = seconds(again, repeats)
    yield _line(case, ours_s, memory, "activations computed again", again_s, peak_mib(again), _apart(ours, repeated))
    if has_fast_bfloat16(torch.device("cpu")):
        short = Step(name, sizes, precision="bfloat16")
        short()
        short_s, loss = seconds(short, repeats)
        yield _line(f"{case}, bfloat16", short_s, peak_mib(short), "float32", ours_s, memory, _apart(ours, loss))


def _apart(one: Tensor, other: Tensor) -> str:
    return f"losses differ by {abs(float(one - other)) / max(abs(float(one)), 1e-12):.0e}"


def _line(case: str, ours_s: float, memory: float, other: str, other_s: float, other_memory: float, apart: str) -> BenchResult:
    return BenchResult(
        benchmark="training",
        case=case,
        ours_s=ours_s,
        other=other,
        other_s=other_s,
        ratio=other_s / ours_s,
        quality_ours=f"{1 / ours_s:.2g} steps/s, {memory:.0f} MiB",
        quality_other=f"{1 / other_s:.2g} steps/s, {other_memory:.0f} MiB",
        difference=apart,
    )


BENCHES.register("training", BenchSpec(name="training", title="Training steps", run=run))
