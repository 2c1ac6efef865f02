"""The benchmarks behind ``myoscope bench``: one file each, self-registering."""

from engine.bench.contract import BENCHES, BenchSpec

__all__ = ["BENCHES", "BenchSpec"]
