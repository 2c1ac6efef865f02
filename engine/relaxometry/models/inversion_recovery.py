"""T1 after an inversion: with the readouts of a MOLLI series between, and without."""

from __future__ import annotations

from engine.relaxometry.contract import MODELS, SignalModel

TAU_RANGE_MS = (20.0, 10_000.0)

MODELS.register(
    "molli3",
    SignalModel(
        name="molli3",
        title="MOLLI: A - B exp(-t / T1*), T1 = T1* (B / A - 1)",
        quantity="T1",
        parameters=("t1_ms", "t1_star_ms", "a", "b"),
        offset=True,
        inverts=True,
        look_locker=True,
        tau_range_ms=TAU_RANGE_MS,
        source="Messroghli et al., MRM 2004;52:141; correction: Deichmann and Haase, J Magn Reson 1992;96:608",
    ),
)

MODELS.register(
    "ir3",
    SignalModel(
        name="ir3",
        title="Inversion recovery: A - B exp(-t / T1)",
        quantity="T1",
        parameters=("t1_ms", "a", "b"),
        offset=True,
        inverts=True,
        look_locker=False,
        tau_range_ms=TAU_RANGE_MS,
        source="Barral et al., MRM 2010;64:1057, eq. 1",
    ),
)
