"""Random streams: one seed, and an independent stream for each purpose, so that a change in one does not move another."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is for; the numbers are part of what a seed means and never change."""

    ANATOMY = 10
    DRIFT = 11
    COILS = 12
    PHASE = 13
    NOISE = 14


def stream(seed: int, purpose: Purpose, *where: int) -> np.random.Generator:
    """Return the generator of ``seed`` for a purpose; ``where`` tells slice and frame apart."""
    # Every place is shifted by one: to a seed sequence, trailing zeros are no entropy at all.
    entropy = (seed, int(purpose), *(n + 1 for n in where))
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))
