"""T2 after a preparation or along echoes, with and without an offset."""

from __future__ import annotations

from engine.relaxometry.contract import MODELS, SignalModel

TAU_RANGE_MS = (2.0, 3_000.0)

MODELS.register(
    "t2prep2",
    SignalModel(
        name="t2prep2",
        title="T2: A exp(-t / T2)",
        quantity="T2",
        parameters=("t2_ms", "a"),
        offset=False,
        inverts=False,
        look_locker=False,
        tau_range_ms=TAU_RANGE_MS,
        source="Giri et al., JCMR 2009;11:56",
    ),
)

MODELS.register(
    "t2prep3",
    SignalModel(
        name="t2prep3",
        title="T2 with offset: A exp(-t / T2) + C",
        quantity="T2",
        parameters=("t2_ms", "a", "c"),
        offset=True,
        inverts=False,
        look_locker=False,
        tau_range_ms=TAU_RANGE_MS,
        source="Akçakaya et al., MRM 2015;74:93",
    ),
)
