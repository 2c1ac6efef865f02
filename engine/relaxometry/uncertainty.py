"""Standard deviations of what was fitted, from the Jacobian at the solution and the noise that the residual shows.

The Jacobian of (c0, c1, u = log tau) has the columns 1, e and c1 d (:mod:`engine.relaxometry.signal`). Its normal matrix is
inverted in closed form by taking off means first: the mean of the noise is independent of everything that has none.
"""

from __future__ import annotations

import math
from typing import Any

from engine.relaxometry.contract import SignalModel


def covariance(count: float, mean_e: Any, mean_d: Any, n: Any, p: Any, m: Any, c1: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Return (var c0, var c1, var u, cov c0 c1, cov c0 u, cov c1 u) for noise of variance 1.

    ``mean_e`` and ``mean_d`` are 0, and what concerns c0 is without meaning, when the model has no offset.
    """
    q = c1 * p / n
    var_u = 1.0 / (c1 * c1 * (m - p * p / n))
    cov_1u = -q * var_u
    var_1 = 1.0 / n + q * q * var_u
    k = c1 * mean_d
    cov_01 = -mean_e * var_1 - k * cov_1u
    cov_0u = -mean_e * cov_1u - k * var_u
    var_0 = 1.0 / count + mean_e * mean_e * var_1 + k * k * var_u + 2.0 * mean_e * k * cov_1u
    return var_0, var_1, var_u, cov_01, cov_0u, cov_1u


def variances(model: SignalModel, c0: Any, c1: Any, tau: Any, cov: tuple[Any, ...], efficiency: float) -> dict[str, Any]:
    """Return the variance of every parameter of ``model`` by data-set name, to first order, for noise of variance 1."""
    var_0, var_1, var_u, cov_01, cov_0u, cov_1u = cov
    var_tau = tau * tau * var_u
    if model.look_locker:
        ratio = tau / (c0 * efficiency)
        g0, g1, gu = ratio * c1 / c0, -ratio, -ratio * (c0 + c1)
        var_t1 = (
            g0 * g0 * var_0 + g1 * g1 * var_1 + gu * gu * var_u + 2.0 * (g0 * g1 * cov_01 + g0 * gu * cov_0u + g1 * gu * cov_1u)
        )
        return {"t1_ms": var_t1, "t1_star_ms": var_tau, "a": var_0, "b": var_1}
    if model.inverts:
        return {"t1_ms": var_tau, "a": var_0, "b": var_1}
    return {"t2_ms": var_tau, "a": var_1, "c": var_0} if model.offset else {"t2_ms": var_tau, "a": var_1}


def degrees_of_freedom(model: SignalModel, samples: int, mode: str) -> int:
    """Return samples less parameters; complex samples count twice and bring a phase of their own."""
    return 2 * samples - model.unknowns - 1 if mode == "complex" else samples - model.unknowns


def half_width(free: int) -> float:
    """Return half the width of a 95 % interval in standard deviations: Student's t for ``free`` degrees of freedom."""
    if free <= 0:
        return math.nan
    from scipy.special import stdtrit

    return float(stdtrit(free, 0.975))
