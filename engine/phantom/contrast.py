"""Signal of tissues, and of pixels that mix them, in the frames of a request; and the truth maps that belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.types import Complex, Float, Kind
from engine.phantom.request import PhantomRequest
from engine.phantom.scheme import parse_scheme
from engine.phantom.sequences import MOLLI_READOUT, T2PREP_READOUT, cine_signal, molli_signal, t2prep_signal
from engine.phantom.signals import bssfp, fit_look_locker, fit_t2, look_locker, look_locker_parameters, t2_decay
from engine.phantom.tissues import Structure, tissues

LONGEST_READING_MS = 10_000.0


class Contrast:
    """Signal of a request in each tissue and frame, and of pixels that mix tissues."""

    def __init__(self, request: PhantomRequest) -> None:
        self._request = request
        self._times = request.times_ms()
        found = tissues(request.field_t)
        listed = [found[s] for s in Structure if s is not Structure.BACKGROUND]
        # the background comes first: no protons, and times that do no harm
        self._t1 = np.array([1.0, *(t.t1_ms for t in listed)])
        self._t2 = np.array([1.0, *(t.t2_ms for t in listed)])
        self._pd = np.array([0.0, *(t.pd for t in listed)])
        self._by_pixel = request.analytic and request.kind != Kind.CINE
        self._pixel: dict[str, NDArray[np.float64]] = {}
        self._shares: Float = np.zeros((0, 0, 0), dtype=np.float32)
        self._tissue: NDArray[np.complex128] = np.zeros((len(self._times), len(Structure)), dtype=np.complex128)
        if request.kind == Kind.CINE:
            self._tissue[:, 1:] = bssfp(self._t1, self._t2, self._pd)[1:] if request.analytic else cine_signal(listed)
        elif request.kind == Kind.MOLLI and not request.analytic:
            readout = replace(MOLLI_READOUT, ordering=request.ordering)
            self._tissue[:, 1:] = molli_signal(listed, parse_scheme(request.scheme), request.rr_ms, readout)
        elif request.kind == Kind.T2PREP and not request.analytic:
            readout = replace(T2PREP_READOUT, ordering=request.ordering)
            self._tissue[:, 1:] = t2prep_signal(listed, request.echo_times_ms, request.rr_ms, readout=readout)
        else:
            pure = self._parameters(self._t1, self._t2, self._pd)
            self._tissue[:] = np.stack([self._equation(frame, pure) for frame in range(len(self._times))])
        self._fits = {} if request.analytic else self._fit_tissues()
        self._t1[0] = self._t2[0] = 0.0

    @property
    def myocardium(self) -> float:
        """Magnitude of the myocardial signal in the frame where it is largest."""
        return float(np.abs(self._tissue[:, Structure.LV_MYOCARDIUM]).max())

    def set_shares(self, shares: Float) -> None:
        """Take the shares (structure, y, x) of the next frames."""
        self._shares = shares
        if self._by_pixel:
            density = np.tensordot(self._pd, shares, axes=1)
            safe = np.where(density > 0, density, 1.0)
            t1 = np.where(density > 0, np.tensordot(self._pd * self._t1, shares, axes=1) / safe, 1.0)
            t2 = np.where(density > 0, np.tensordot(self._pd * self._t2, shares, axes=1) / safe, 1.0)
            self._pixel = self._parameters(t1, t2, density)

    def image(self, frame: int) -> Complex:
        """Return the image of a frame, complex64 (y, x), without phase.

        Simulated signals of tissues in one pixel add up. The analytic maps mix the tissues' parameters instead, so that the signal
        equation, and the truth, hold exactly on edges too.
        """
        if self._by_pixel:
            return self._equation(frame, self._pixel).astype(np.complex64)
        return np.tensordot(self._tissue[frame].astype(np.complex64), self._shares, axes=1)

    def maps(self, labels: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Return the truth maps (y, x) of the shares that were set; zero where there is nothing."""
        if self._by_pixel:
            here = self._pixel["pd"] > 0
            return {name: np.where(here, values, 0.0) for name, values in self._pixel.items()}
        tables = {"t1_ms": self._t1, "t2_ms": self._t2, "pd": self._pd, **self._fits}
        return {name: table[labels] for name, table in tables.items()}

    def _fit_tissues(self) -> dict[str, NDArray[np.float64]]:
        """Return what fits of the tissues' signals give, by structure."""
        tables: dict[str, NDArray[np.float64]] = {}
        if self._request.kind == Kind.MOLLI:
            fits = np.array([(0.0, 0.0, 1.0), *(self._fit_t1(s) for s in range(1, len(Structure)))]).T
            tables |= {"a": fits[0], "b": fits[1], "t1_star_ms": fits[2]}
            tables["t1_fit_ms"] = _believable(fits[2] * (fits[1] / np.where(fits[0] == 0, 1.0, fits[0]) - 1.0))
        if self._request.kind == Kind.T2PREP:
            decays = np.array([(0.0, 1.0), *(fit_t2(self._times, self._tissue[:, s]) for s in range(1, len(Structure)))]).T
            tables |= {"a": decays[0], "t2_fit_ms": _believable(decays[1])}
        for table in tables.values():
            table[0] = 0.0
        return tables

    def _fit_t1(self, structure: int) -> tuple[float, float, float]:
        """Return (A, B, T1*) of the signal, signed so that it grows from the shortest to the longest inversion time.

        The image with the longest one has the sign of a relaxed signal only where that is reached: not in fluids with fast hearts.
        """
        values = self._tissue[:, structure]
        growth = values[int(np.argmax(self._times))] - values[int(np.argmin(self._times))]
        return fit_look_locker(self._times, (values * np.conj(growth) / np.abs(growth)).real)

    def _parameters(
        self, t1: NDArray[np.float64], t2: NDArray[np.float64], pd: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        found = {"t1_ms": t1, "t2_ms": t2, "pd": pd}
        if self._request.kind == Kind.MOLLI:
            a, b, t1_star = look_locker_parameters(t1, t2, pd, self._request.rr_ms)
            return {**found, "a": a, "b": b, "t1_star_ms": t1_star, "t1_fit_ms": t1}
        return {**found, "a": pd, "t2_fit_ms": t2}

    def _equation(self, frame: int, parameters: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        if self._request.kind == Kind.MOLLI:
            return look_locker(self._times[frame], parameters["a"], parameters["b"], parameters["t1_star_ms"])
        return t2_decay(self._times[frame], parameters["a"], parameters["t2_ms"])


def _believable(times_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return relaxation times, 0 where a fit of a signal that hardly changes gave one below 0 or beyond all tissue."""
    return np.where((times_ms > 0.0) & (times_ms < LONGEST_READING_MS), times_ms, 0.0)
