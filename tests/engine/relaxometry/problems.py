"""Signals of known parameters, and the bounds that no estimator of them beats."""

from __future__ import annotations

import numpy as np
from scipy.special import ive

# Times as acquired, RR 900 ms.
SCHEMES = {
    "5(3)3": np.array([120.0, 1020.0, 1920.0, 2820.0, 3720.0, 200.0, 1100.0, 2000.0]),
    "4(1)3(1)2": np.array([120.0, 1020.0, 1920.0, 2820.0, 200.0, 1100.0, 2000.0, 280.0, 1180.0]),
}
SHORT_MS, LONG_MS = 250.0, 2000.0


def recovery(times, t1, ratio):
    """Return ``1 - ratio exp(-t / T1*)`` (sample, ...) with T1* = T1 / (ratio - 1)."""
    t = np.asarray(times, float).reshape(-1, *[1] * np.ndim(t1))
    return 1.0 - ratio * np.exp(-t * (ratio - 1.0) / t1)


def decay(times, t2):
    """Return ``exp(-t / T2)`` (sample, ...)."""
    return np.exp(-np.asarray(times, float).reshape(-1, *[1] * np.ndim(t2)) / t2)


def rician_information():
    """Return (signal / noise, Fisher information of a magnitude about the signal, in units of a signed sample's)."""
    signal = np.linspace(0.0, 8.0, 200)
    magnitude = np.linspace(1e-6, 16.0, 3000)
    a, m = np.meshgrid(signal, magnitude, indexing="ij")
    density = m * np.exp(-0.5 * (m - a) ** 2) * ive(0, m * a)
    score = m * ive(1, m * a) / ive(0, m * a) - a
    return signal, (density * score**2).sum(1) * (magnitude[1] - magnitude[0])


def bound(times, t1, ratio, sigma, rician=False):
    """Return the Cramer-Rao bound of the standard deviation of T1, of signed samples or of magnitudes; all arrays (pixel,)."""
    tau = t1 / (ratio - 1.0)
    e = np.exp(-times[:, None] / tau)
    jacobian = np.stack([np.ones_like(e), -e, -ratio * times[:, None] / tau * e], -1).transpose(1, 0, 2)
    weight = np.ones_like(e)
    if rician:
        weight = np.interp(np.abs(1.0 - ratio * e) / sigma, *rician_information(), right=1.0)
    inverse = np.linalg.inv(np.einsum("pni,np,pnj->pij", jacobian, weight, jacobian))
    gradient = np.stack([-tau * ratio, tau, t1], -1)
    return sigma * np.sqrt(np.einsum("pi,pij,pj->p", gradient, inverse, gradient))
