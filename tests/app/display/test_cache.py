from __future__ import annotations

import gc

import numpy as np

from app.display.cache import ArrayCache


def test_made_once_for_the_same_array():
    cache, calls = ArrayCache(1 << 20), []
    source = np.zeros(3)
    for _ in range(3):
        value = cache.get((source,), "double", lambda: calls.append(1) or np.ones(4))
    assert len(calls) == 1
    assert value is cache.get((source,), "double", lambda: None)
    cache.get((np.zeros(3),), "double", lambda: calls.append(1))
    assert len(calls) == 2


def test_goes_with_its_array():
    cache = ArrayCache(1 << 20)
    one, two = np.zeros(3), np.zeros(3)
    cache.get((one, two), "a", lambda: np.ones(100))
    del two
    gc.collect()
    assert len(cache) == 0
    assert cache.bytes == 0


def test_forgets_the_oldest_beyond_its_budget():
    cache = ArrayCache(10_000)
    source = np.zeros(3)
    for index in range(5):
        cache.get((source,), index, lambda: np.zeros(500))  # 4 kB each
        cache.get((source,), 0, lambda: np.zeros(500))
    assert cache.bytes <= 10_000
    made = []
    cache.get((source,), 0, lambda: made.append(1))
    cache.get((source,), 1, lambda: made.append(1))
    assert made == [1]  # 0 was used last and stayed, 1 was forgotten
    cache.clear()
    assert (len(cache), cache.bytes) == (0, 0)


def test_a_smaller_budget_forgets_the_oldest_at_once():
    cache, sources = ArrayCache(1000), [np.zeros(1) for _ in range(3)]
    for source in sources:
        cache.get((source,), "k", lambda: np.zeros(50))
    assert len(cache) == 2
    cache.set_budget(500)
    assert len(cache) == 1
    assert cache.bytes == 400
