"""The signal ``c0 + c1 exp(-t / tau)`` and its variable projection, in arithmetic that floats, NumPy, torch and numba share.

With u = log tau the signal is ``c0 + c1 e`` where ``e = exp(-t / tau)``, ``d = de/du = (t / tau) e`` and
``h = d2e/du2 = (t / tau - 1) d``. For a given tau the amplitudes are linear; eliminating them leaves the explained energy
``J(u) = f^2 / n`` to be maximised (variable projection; Golub and Pereyra, SIAM J Numer Anal 1973;10:413). The sums over samples
are written ``n = <e, e>, p = <e, d>, m = <d, d>, s = <e, h>, f = <y, e>, f1 = <y, d>, f2 = <y, h>``, of vectors with their means
taken off where the model has an offset. Functions here hold no branches, so that one text serves all four.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.relaxometry.contract import SignalModel


def slope(n: Any, p: Any, f: Any, f1: Any) -> Any:
    """Return ``d log J / du``."""
    return 2.0 * (f1 / f - p / n)


def curvature(n: Any, p: Any, m: Any, s: Any, f: Any, f1: Any, f2: Any) -> Any:
    """Return ``d2 log J / du2``."""
    a = f1 / f
    b = p / n
    return 2.0 * (f2 / f - a * a - (m + s) / n) + 4.0 * b * b


def gauss_newton(n: Any, p: Any, m: Any, f: Any, f1: Any) -> Any:
    """Return the step in u of Gauss and Newton on the projected residual; it points uphill on J wherever it is taken."""
    c1 = f / n
    return (f1 - c1 * p) / (c1 * (m - p * p / n))


def phase_coupling(n: Any, p: Any, f: Any, f1: Any, g: Any, g1: Any, still: Any) -> Any:
    """Return what the freedom of the phase takes from the curvature of :func:`curvature`.

    With the samples turned by the best phase, y is their real part and v their imaginary part; ``g = <v, e>``, ``g1 = <v, d>``, and
    ``still`` is the energy of the mean of v less that of y. Eliminating the phase phi from Newton's equations for ``J(u, phi)``
    leaves ``J_uu - J_u phi^2 / J_phi phi``; this is the second term over ``f^2 / n``.
    """
    mixed = (g * f1 + f * g1 - 2.0 * f * g * p / n) / n
    return 2.0 * mixed * mixed / ((g * g - f * f) / n + still) * n / (f * f)


def parameters(model: SignalModel, c0: Any, c1: Any, tau: Any, efficiency: float) -> dict[str, Any]:
    """Return the parameters of ``model`` by data-set name; ``c0`` is not read when the model has no offset.

    The Look-Locker correction is ``T1 = T1* (B / A - 1) / delta`` with the inversion efficiency delta (1: no correction).
    """
    if model.look_locker:
        return {"t1_ms": -tau * (c1 / c0 + 1.0) / efficiency, "t1_star_ms": tau, "a": c0, "b": -c1}
    if model.inverts:
        return {"t1_ms": tau, "a": c0, "b": -c1}
    return {"t2_ms": tau, "a": c1, "c": c0} if model.offset else {"t2_ms": tau, "a": c1}


def amplitudes(model: SignalModel, values: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Return (c0, c1, tau) of the parameters that :func:`parameters` gives: its inverse."""
    if model.inverts:
        return values["a"], -values["b"], values["t1_star_ms" if model.look_locker else "t1_ms"]
    return values.get("c", 0.0 * values["a"]), values["a"], values["t2_ms"]
