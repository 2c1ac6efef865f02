"""What a pulse sequence measures in each tissue: Bloch simulation of bSSFP cine, MOLLI and T2-prepared bSSFP.

All tissues are simulated at once: a state is the transverse magnetisation (complex, in a frame turning at the transmitter's
frequency) and the longitudinal one, both with proton density 1. Pulses are short against T1 and T2 and turn about x; what is left
of the transverse magnetisation is spoiled before each preparation, and lost between readouts by the long wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError
from engine.phantom.scheme import Scheme
from engine.phantom.tissues import Tissue

Vector = NDArray[np.float64]
ComplexVector = NDArray[np.complex128]

ORDERINGS = ("linear", "centric")
INVERSION_EFFICIENCY = 0.96


@dataclass(frozen=True, slots=True)
class Readout:
    """A train of balanced steady-state pulses.

    Parameters
    ----------
    flip_deg, tr_ms, te_ms
        Flip angle, repetition and echo time.
    lines
        Pulses whose echoes are kept.
    ordering
        ``linear``: the centre of k-space is line ``lines // 2``; ``centric``: it is the first.
    """

    flip_deg: float = 35.0
    tr_ms: float = 2.7
    te_ms: float = 1.1
    lines: int = 70
    ordering: str = "linear"

    def __post_init__(self) -> None:
        if not (0 < self.flip_deg <= 180 and 0 < self.te_ms < self.tr_ms and self.lines >= 1):
            raise InputError(
                f"the readout cannot be played (expected 0 < flip <= 180 degrees, 0 < TE < TR, lines >= 1 / found flip "
                f"{self.flip_deg:g}, TE {self.te_ms:g}, TR {self.tr_ms:g}, lines {self.lines})",
                "Leave the readout at its defaults.",
            )
        if self.ordering not in ORDERINGS:
            raise InputError(
                f"unknown ordering {self.ordering!r} (expected {' or '.join(ORDERINGS)})", "Use linear: most scanners do."
            )

    @property
    def centre(self) -> int:
        """Index of the line in the centre of k-space."""
        return self.lines // 2 if self.ordering == "linear" else 0

    @property
    def to_centre_ms(self) -> float:
        """Time from the alpha/2 pulse to the echo of the centre line."""
        return 0.5 * self.tr_ms + self.centre * self.tr_ms + self.te_ms

    @property
    def duration_ms(self) -> float:
        """Time from the alpha/2 pulse to the end of the last repetition."""
        return (0.5 + self.lines) * self.tr_ms


MOLLI_READOUT = Readout()
T2PREP_READOUT = Readout()
CINE_READOUT = Readout(flip_deg=50.0, tr_ms=3.0, te_ms=1.5, lines=12)


class Spins:
    """Magnetisation of several tissues at once; begins at equilibrium."""

    def __init__(self, tissues: Sequence[Tissue]) -> None:
        self._r1 = np.array([1.0 / t.t1_ms for t in tissues])
        self._rate = np.array([-1.0 / t.t2_ms + 2j * np.pi * 1e-3 * t.off_resonance_hz for t in tissues])
        self.mxy: ComplexVector = np.zeros(len(tissues), dtype=np.complex128)
        self.mz: Vector = np.ones(len(tissues))

    def wait(self, ms: float) -> None:
        """Let the magnetisation precess and relax."""
        self.mxy = self.mxy * np.exp(self._rate * ms)
        self.mz = 1.0 + (self.mz - 1.0) * np.exp(-self._r1 * ms)

    def pulse(self, angle: float) -> None:
        """Turn by ``angle`` radians about x; a negative angle is a pulse of opposite phase."""
        cos, sin = np.cos(angle), np.sin(angle)
        my = self.mxy.imag
        self.mxy = self.mxy.real + 1j * (cos * my + sin * self.mz)
        self.mz = np.asarray(cos * self.mz - sin * my, dtype=np.float64)

    def spoil(self) -> None:
        """Destroy the transverse magnetisation."""
        self.mxy = np.zeros_like(self.mxy)

    def invert(self, efficiency: float) -> None:
        """Play an adiabatic inversion: Mz becomes -efficiency Mz; the rest is spoiled."""
        self.mz = -efficiency * self.mz
        self.spoil()

    def prepare_t2(self, echo_ms: float) -> None:
        """Play 90 - refocusing - 90 of duration ``echo_ms``: Mz is stored multiplied by exp(-TE/T2); the rest is spoiled."""
        self.mz = self.mz * np.exp(self._rate.real * echo_ms)
        self.spoil()

    def read(self, readout: Readout) -> ComplexVector:
        """Play a readout and return the signal (tissue) of the line in the centre of k-space.

        An alpha/2 pulse and half a TR go before (Deimling and Heid, ISMRM 1994, 495); then pulses of alternating sign, which the
        receiver follows, so that on resonance the signal is real and has the sign of the longitudinal magnetisation.
        """
        alpha = np.deg2rad(readout.flip_deg)
        self.pulse(-0.5 * alpha)
        self.wait(0.5 * readout.tr_ms)
        kept = self.mxy
        for line in range(readout.lines):
            sign = 1.0 if line % 2 == 0 else -1.0
            self.pulse(sign * alpha)
            self.wait(readout.te_ms)
            if line == readout.centre:
                kept = -1j * sign * self.mxy
            self.wait(readout.tr_ms - readout.te_ms)
        self.spoil()
        return kept


def cine_signal(tissues: Sequence[Tissue], readout: Readout = CINE_READOUT) -> ComplexVector:
    """Return the steady-state bSSFP signal of each tissue, complex (tissue), proton density included.

    One repetition with a pulse of alternating sign maps the magnetisation M to A M + b in the frame that alternates with the pulse;
    the steady state is the fixed point, found exactly.
    """
    alpha = np.deg2rad(readout.flip_deg)
    columns = []
    for start in ((0.0, 0.0), (1.0, 0.0), (1j, 0.0), (0.0, 1.0)):
        spins = Spins(tissues)
        spins.mxy = np.full(len(tissues), start[0], dtype=np.complex128)
        spins.mz = np.full(len(tissues), start[1])
        spins.pulse(alpha)
        spins.wait(readout.tr_ms)
        # in the alternating frame x and y change sign at each repetition
        columns.append(np.stack([-spins.mxy.real, -spins.mxy.imag, spins.mz], axis=-1))
    offset = columns[0]
    matrix = np.stack([column - offset for column in columns[1:]], axis=-1)
    steady = np.linalg.solve(np.eye(3) - matrix, offset[..., None])[..., 0]
    spins = Spins(tissues)
    spins.mxy = steady[:, 0] + 1j * steady[:, 1]
    spins.mz = np.asarray(steady[:, 2], dtype=np.float64)
    spins.pulse(alpha)
    spins.wait(readout.te_ms)
    return _density(tissues) * -1j * spins.mxy


def molli_signal(
    tissues: Sequence[Tissue],
    scheme: Scheme,
    rr_ms: float,
    readout: Readout = MOLLI_READOUT,
    efficiency: float = INVERSION_EFFICIENCY,
) -> ComplexVector:
    """Return the MOLLI signal, complex (image, tissue) in the order of acquisition, proton density included.

    Each group begins with an inversion so that the centre of its first readout comes after the group's first inversion time; images
    follow one RR interval after another at the same trigger delay (Messroghli, MRM 2004;52:141).

    Raises
    ------
    InputError
        The readout does not fit between inversion and first image, or into a heartbeat.
    """
    first = scheme.first_tis()
    lead = first[0] - readout.to_centre_ms
    if lead < 0:
        raise InputError(
            f"the readout is too long for the first inversion time (expected at most {first[0]:g} ms to the centre of k-space / "
            f"found {readout.to_centre_ms:.0f} ms)",
            "Use fewer lines per shot.",
        )
    # from the end of the last readout of a group to the inversion of the next; the rest beats have no readout
    tail = readout.duration_ms - readout.to_centre_ms
    shortest = max(readout.duration_ms, *((tail + ti) / (rest + 1) for ti, rest in zip(first[1:], scheme.rest, strict=True)), 0.0)
    if rr_ms < shortest:
        raise InputError(
            f"the RR interval is too short (expected at least {shortest:.0f} ms / found {rr_ms:g} ms)",
            "Use a longer --rr-ms, or more rest beats in --scheme.",
        )
    spins = Spins(tissues)
    signals = []
    for group, images in enumerate(scheme.images):
        if group > 0:
            spins.wait((scheme.rest[group - 1] + 1) * rr_ms - tail - first[group])
        spins.invert(efficiency)
        spins.wait(first[group] - readout.to_centre_ms)
        for image in range(images):
            if image > 0:
                spins.wait(rr_ms - readout.duration_ms)
            signals.append(spins.read(readout))
    return np.stack(signals) * _density(tissues)


def t2prep_signal(
    tissues: Sequence[Tissue], echo_times_ms: Sequence[float], rr_ms: float, rest: int = 3, readout: Readout = T2PREP_READOUT
) -> ComplexVector:
    """Return the T2-prepared bSSFP signal, complex (echo time, tissue), proton density included.

    One image in each (rest + 1)-th heartbeat, ``rest`` beats of recovery between (Giri, JCMR 2009;11:56); the first begins at
    equilibrium. With ``linear`` ordering the T1 recovery before the centre of k-space makes a fitted T2 about a tenth too long.

    Raises
    ------
    InputError
        Preparation and readout do not fit into the heartbeats given.
    """
    cycle = (rest + 1) * rr_ms
    shortest = (max(echo_times_ms) + readout.duration_ms) / (rest + 1)
    if rr_ms < shortest:
        raise InputError(
            f"the RR interval is too short (expected at least {shortest:.0f} ms / found {rr_ms:g} ms)",
            "Use a longer --rr-ms.",
        )
    spins = Spins(tissues)
    signals = []
    for index, echo in enumerate(echo_times_ms):
        if index > 0:
            spins.wait(cycle - readout.duration_ms - echo)
        spins.prepare_t2(echo)
        signals.append(spins.read(readout))
    return np.stack(signals) * _density(tissues)


def _density(tissues: Sequence[Tissue]) -> Vector:
    return np.array([t.pd for t in tissues])
