"""Weights meet data that were measured otherwise, as in CRUNet-MR, section 3.7: strictly uniform lines without ACS.

Hearts are crops of the porcine cine, seen by simulated coils; subjects that are scored were never trained on.
"""

from __future__ import annotations

import numpy as np
import pytest

from engine.io.samples import open_sample
from engine.training import run as runs
from engine.training.config import from_values
from engine.training.loop import validate
from engine.training.setup import set_up
from tests.engine.training.conftest import nobody

SIDE, FRAMES = 64, 6
WITH_ACS = {"patterns": ["equispaced"], "acceleration": [3, 3], "acs": [16, 16]}
WITHOUT = {"patterns": ["equispaced"], "acceleration": [3, 3], "acs": [0, 0]}


@pytest.fixture
def hearts(tmp_path):
    """Return two folders: hearts to train on, and one that is kept out."""
    images = open_sample("porcine_cine").images[:, :: 20 // FRAMES, 96 : 96 + SIDE, 96 : 96 + SIDE].astype(np.float32)
    for name, slices in (("train", (3, 4, 5)), ("kept", (1,))):
        (tmp_path / name).mkdir()
        for number in slices:
            np.save(tmp_path / name / f"slice{number}.npy", images[number][None, :FRAMES] / images.max())
    return tmp_path


def values(hearts, name, masks, **others):
    """Return the configuration of one run."""
    source = {"axes": "sfyx", "kind": "cine"}
    return {
        "name": name,
        "model": {"network": "myonet"},
        "data": {
            "sources": [{"location": str(hearts / "train"), **source}],
            "validation": [{"location": str(hearts / "kept"), **source}],
            "validation_examples": 2,
            "validation_columns": 0,
            "columns": 32,
            "acquisition": {"coils": [6, 6], "snr": [50, 50], "matrix": [SIDE, SIDE], "frames": [FRAMES, FRAMES]},
            "augmentation": {"scale": [1, 1], "shear": 0.0},
        },
        "masks": masks,
        "validation_masks": masks,
        "run": {"threads": 1, "device": "cpu", "seed": 1},
        **others,
    }


def score(hearts, weights, masks):
    """Return the PSNR in dB that weights reach on the heart that was kept out."""
    state = set_up(from_values({**values(hearts, "score", masks), "model": {"network": "myonet", "start": weights}}),
                   hearts / f"score-{len(list(hearts.iterdir()))}", nobody)  # fmt: skip
    return validate(state, nobody)["psnr"]


def test_fine_tuning_to_data_without_acs(hearts, library):
    sizes = {"cascades": 3, "channels": 12, "deep_channels": 16, "deep_blocks": 1}
    trained = runs.run(
        from_values(values(hearts, "trained", WITH_ACS, model={"network": "myonet", "options": sizes},
                           optimiser={"learning_rate": 3e-3, "warm_up": 10, "ema": 0.95},
                           run={"steps": 200, "epoch": 100, "threads": 1, "device": "cpu"})),
        hearts / "first", nobody)  # fmt: skip
    before, matched = score(hearts, trained, WITHOUT), score(hearts, trained, WITH_ACS)
    tuned = runs.run(
        from_values(values(hearts, "tuned", WITHOUT, model={"network": "myonet", "start": trained},
                           optimiser={"learning_rate": 3e-3, "warm_up": 10, "ema": 0.95},
                           run={"steps": 200, "epoch": 100, "threads": 1, "device": "cpu"})),
        hearts / "second", nobody)  # fmt: skip
    after = score(hearts, tuned, WITHOUT)
    print(before, matched, after)
    assert 0
