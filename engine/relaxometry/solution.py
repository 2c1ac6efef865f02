"""What a fit finds in each pixel, before it is read as T1 or T2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True, eq=False)
class Solution:
    """Arrays (pixel,) of torch or NumPy in double precision.

    Parameters
    ----------
    c0, c1, tau
        The signal is ``c0 + c1 exp(-t / tau)``, tau in ms.
    rss
        Energy of the residual.
    spread
        Energy of the samples about their mean, with the signs that were recovered.
    polarity
        How many samples, in order of time, are negative.
    phase
        Phase of a complex pixel in radians.
    edge
        Whether tau is an end of its range.
    cov
        Six covariances for noise of variance 1 (:func:`engine.relaxometry.uncertainty.covariance`).
    """

    c0: Any
    c1: Any
    tau: Any
    rss: Any
    spread: Any
    polarity: Any
    phase: Any
    edge: Any
    cov: tuple[Any, ...]

    def map(self, change: Callable[[Any], Any]) -> Solution:
        """Return the solution with ``change`` applied to every array."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        cov = values.pop("cov")
        return Solution(**{name: change(value) for name, value in values.items()}, cov=tuple(change(c) for c in cov))


NAMES = tuple(f.name for f in fields(Solution) if f.name != "cov")
