"""Weights, benchmarks, and the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engine.core.jobs import Reporter, silent
from engine.core.records.machine import BenchResult, DoctorReport
from engine.core.records.weights import WeightsInfo, WeightSource


def weights() -> list[WeightsInfo]:
    """Return every set of weights at hand with its model card."""
    from engine.weights.library import listing

    return listing()


def weight_sources() -> list[WeightSource]:
    """Return the sources that published weights can be imported from."""
    from engine.weights.published import PUBLISHED

    return [WeightSource(s.name, s.title, s.networks, s.licence, s.url) for _, s in PUBLISHED.items()]


def import_weights(path: str | Path, source: str | None = None, name: str | None = None) -> str:
    """Import weights and return their id: published ones of a source, or, without one, those that `export_weights` wrote."""
    if source is None:
        from engine.weights.library import take

        return take(path, name).card.id
    from engine.reconstruction.weights import import_weights as run

    return run(path, source, name)


def weights_card(name: str) -> WeightsInfo:
    """Return one set of weights with its model card."""
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


def add_benchmark(name: str, title: str, run: Callable[[bool, Reporter], Iterator[BenchResult]]) -> None:
    """Add a benchmark of who uses the engine: ``run(quick, report)`` yields its lines. One of that name that is there stays."""
    from engine.bench import BENCHES, BenchSpec

    if name not in BENCHES.names():
        BENCHES.register(name, BenchSpec(name, title, run))


def bench(names: Sequence[str], quick: bool = False, report: Reporter | None = None) -> list[BenchResult]:
    """Run benchmarks: ratios against named alternatives, one thread, in one run."""
    from engine.bench.contract import run

    return run(names, quick, report or silent())


def doctor() -> DoctorReport:
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
