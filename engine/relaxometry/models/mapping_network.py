"""The mapping network of the relaxometry-guided reconstruction as a second estimator, beside the fits."""

from __future__ import annotations

from engine.relaxometry.contract import MODELS, SignalModel

NETWORK = "mapping_network"
SOURCE = "Zhao, Zhang, Tao: Relaxometry Guided Quantitative CMR Image Reconstruction, STACOM 2023, section 2.2"

MODELS.register(
    "mapping_t1",
    SignalModel(
        name="mapping_t1",
        title="Mapping network for T1 (needs weights)",
        quantity="T1",
        parameters=("t1_ms", "t1_star_ms", "a", "b"),
        offset=True,
        inverts=True,
        look_locker=True,
        tau_range_ms=(0.001, 10_000.0),
        source=SOURCE + ", eqs. 10 and 11",
        network=NETWORK,
    ),
)

MODELS.register(
    "mapping_t2",
    SignalModel(
        name="mapping_t2",
        title="Mapping network for T2 (needs weights)",
        quantity="T2",
        parameters=("t2_ms", "a"),
        offset=False,
        inverts=False,
        look_locker=False,
        tau_range_ms=(0.001, 3_000.0),
        source=SOURCE + ", eq. 12",
        network=NETWORK,
    ),
)
