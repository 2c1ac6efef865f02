"""How inner loops are compiled when no cache folder can be used."""

from __future__ import annotations

import numba
import numpy as np

from engine.metrics.kernels import compiled


def twice(x):
    return 2 * x


def test_without_a_cache_folder_it_is_compiled_for_this_run(monkeypatch):
    njit = numba.njit
    asked = []

    def no_cache(function, cache=False, **options):
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(function, **options)

    monkeypatch.setattr(compiled.numba, "njit", no_cache)
    assert compiled.compiled(twice)(np.float64(21)) == 42
    assert asked == [True, False]


def test_division_does_not_raise():
    # numba's own default would, at the price of the vectorised loop.
    assert np.isinf(compiled.inlined(lambda x: 1.0 / x)(0.0))
