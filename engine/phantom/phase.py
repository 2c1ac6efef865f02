"""Slowly varying image phase: what field inhomogeneity, the transmit field and gradient delays leave behind."""

from __future__ import annotations

import numpy as np

from engine.core.types import Complex


def smooth_phase(shape: tuple[int, int], rng: np.random.Generator) -> Complex:
    """Return a unimodular complex64 (y, x) map exp(i phi) with a smooth random phase.

    ``phi`` is a constant, a linear part (a shifted echo) and products of low-order cosines whose weights fall with the order; it
    spans 1 to 10 radians over the field of view, and less than 0.2 radians between neighbouring pixels at 128 pixels.
    """
    ny, nx = shape
    y = (np.arange(ny) - ny // 2)[:, None] / ny
    x = (np.arange(nx) - nx // 2)[None, :] / nx
    phi = np.full((ny, nx), rng.uniform(-np.pi, np.pi))
    phi += rng.uniform(-2.0, 2.0) * y + rng.uniform(-2.0, 2.0) * x
    for order_y in range(3):
        for order_x in range(3):
            order = order_y + order_x
            if 0 < order <= 3:
                weight = rng.normal(0.0, 0.9 / order)
                phi += weight * np.cos(np.pi * order_y * (y + 0.5)) * np.cos(np.pi * order_x * (x + 0.5))
    return np.exp(1j * phi).astype(np.complex64)
