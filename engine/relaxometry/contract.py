"""What a signal model is, and the registry of those that can be fitted."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.records.registries import FitModelInfo
from engine.core.registry import Registry

MODES = ("magnitude", "signed", "complex")


@dataclass(frozen=True, slots=True)
class SignalModel:
    """A signal over time, ``c0 + c1 exp(-t / tau)``, and the names of what is read from it.

    Parameters
    ----------
    name, title
        Registry name, and what a person reads.
    quantity
        ``T1`` or ``T2``.
    parameters
        Data-set names of its maps; the first is what was asked for.
    offset
        Whether ``c0`` is a parameter (otherwise it is 0).
    inverts
        Whether the signal changes its sign, so that magnitudes leave the polarity open.
    look_locker
        Whether the quantity is ``tau (B / A - 1)`` with A = c0 and B = -c1 instead of tau.
    tau_range_ms
        Range of tau that is searched; a pixel whose best tau is an end of it is not valid.
    source
        Paper.
    network
        Registry name of the network that estimates the parameters; None for a fit.
    """

    name: str
    title: str
    quantity: str
    parameters: tuple[str, ...]
    offset: bool
    inverts: bool
    look_locker: bool
    tau_range_ms: tuple[float, float]
    source: str
    network: str | None = None

    @property
    def unknowns(self) -> int:
        """Number of real parameters of the signal (a phase that is not known comes on top)."""
        return 3 if self.offset else 2

    @property
    def minimum_samples(self) -> int:
        """Least number of samples: one for each parameter."""
        return self.unknowns

    @property
    def info(self) -> FitModelInfo:
        """What a person is told of it."""
        return FitModelInfo(
            self.name,
            self.title,
            self.quantity,
            self.parameters,
            self.minimum_samples,
            self.modes,
            self.look_locker,
            self.network is not None,
            self.source,
        )

    @property
    def modes(self) -> tuple[str, ...]:
        """What the samples may be: ``magnitude``, ``signed``, ``complex``."""
        return MODES if self.network is None else MODES[:1]


MODELS: Registry[SignalModel] = Registry("signal model", "engine.relaxometry.models")
