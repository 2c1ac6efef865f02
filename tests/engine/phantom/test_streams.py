"""Independent random streams."""

from __future__ import annotations

import numpy as np

from engine.phantom.streams import Purpose, stream

GOLDEN = [[1292984688, 2285431566, 1767295903], [2891338533, 135914164, 3979584509]]


def test_streams_do_not_meet():
    """Trailing zeros are no entropy to a seed sequence: slice 0 and frame 0 must still differ from no slice at all."""
    first = [
        stream(seed, purpose, *where).standard_normal()
        for seed in (0, 1)
        for purpose in Purpose
        for where in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))
    ]
    assert len(set(first)) == len(first)


def test_a_seed_is_the_same_stream_everywhere():
    """Golden values: bit generator, seeding and purposes may not change, or saved seeds lose their meaning."""
    assert stream(0, Purpose.NOISE, 0, 0).integers(0, 1 << 32, 3).tolist() == GOLDEN[0]
    assert stream(7, Purpose.ANATOMY).integers(0, 1 << 32, 3).tolist() == GOLDEN[1]


def test_draws_of_one_purpose_do_not_move_another():
    before = stream(3, Purpose.PHASE, 2).standard_normal(4)
    stream(3, Purpose.COILS).standard_normal(1000)
    np.testing.assert_array_equal(stream(3, Purpose.PHASE, 2).standard_normal(4), before)
