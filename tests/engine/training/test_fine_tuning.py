"""Weights meet data that were measured otherwise, as in CRUNet-MR, section 3.7: as many lines, but none of them an ACS.

Hearts are crops of the porcine cine, seen by simulated coils; the heart that is scored was never trained on. In the paper the same
lines are measured in every frame and coil maps come from elsewhere. Here maps are made of the undersampled data alone, which
uniform lines without ACS allow only where they shift from frame to frame: so they do.
"""

from __future__ import annotations

import numpy as np
import pytest

from engine.io.samples import open_sample
from engine.training import run as runs
from engine.training.config import from_values
from engine.training.loop import validate
from engine.training.setup import set_up
from engine.weights import library as library_of_weights
from tests.engine.training.conftest import nobody

SIDE, FRAMES = 64, 6
WITH_ACS = {"patterns": ["equispaced"], "acceleration": [4, 4], "acs": [8, 8]}
WITHOUT = {"patterns": ["kt_uniform"], "acceleration": [3, 3], "acs": [0, 0]}


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
            "validation_examples": 1,
            "validation_columns": 0,
            "columns": 24,
            "acquisition": {"coils": [6, 6], "snr": [50, 50], "matrix": [SIDE, SIDE], "frames": [FRAMES, FRAMES]},
            "augmentation": {"scale": [1, 1], "shear": 0.0},
        },
        "masks": masks,
        "validation_masks": masks,
        "run": {"threads": 1, "device": "cpu", "seed": 1},
        **others,
    }


def learn(hearts, name, masks, steps, model):
    """Train and return the id of the weights."""
    optimiser = {"learning_rate": 3e-3, "warm_up": 10, "ema": 0.95}
    run = {"steps": steps, "epoch": steps, "threads": 1, "device": "cpu", "seed": 0}
    config = from_values(values(hearts, name, masks, model={"network": "myonet", **model}, optimiser=optimiser, run=run))
    return runs.run(config, hearts / name, nobody)


def score(hearts, weights, masks):
    """Return the PSNR in dB that weights reach on the heart that was kept out."""
    folder = hearts / f"score-{len(list(hearts.iterdir()))}"
    config = from_values(values(hearts, "score", masks, model={"network": "myonet", "start": weights}))
    return validate(set_up(config, folder, nobody), nobody)["psnr"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_fine_tuning_to_data_without_acs(hearts, library):
    trained = learn(hearts, "trained", WITH_ACS, 100, {"options": {"cascades": 2, "channels": 10}})
    before, matched = score(hearts, trained, WITHOUT), score(hearts, trained, WITH_ACS)
    tuned = learn(hearts, "tuned", WITHOUT, 160, {"start": trained})
    after = score(hearts, tuned, WITHOUT)
    # Measured: 16.5, 24.1 and 24.4 dB or more.
    assert matched > before + 3
    assert after > before + 3
    assert after == max(before, matched, after)
    # The old weights are there as they were, and are the parent of the new ones.
    card = library_of_weights.card(tuned).card
    assert card.parent == trained
    assert card.config == library_of_weights.card(trained).card.config
    assert {name: library_of_weights.verify()[name] for name in (trained, tuned)} == {trained: True, tuned: True}
