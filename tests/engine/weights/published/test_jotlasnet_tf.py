"""The importer of JotlasNet's checkpoints, on checkpoints written by the tests and on a released one."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

from engine.core.errors import CheckpointMismatch, FormatError
from engine.weights.published import PUBLISHED
from engine.weights.published.jotlasnet_tf import read
from engine.weights.published.torch_file import turned
from tests.engine.weights.bundle import write_bundle

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
CELLS, CHANNELS = 2, 3


def checkpoint(rng):
    """Return random tensors by the authors' names and shapes."""
    n = CHANNELS
    stacks = {"lconv_1": (2, n, n, 2), "lconv_2": (2, n, n, 2), "sconv_1": (2, n, n, n), "sconv_2": (n, n, n, 2)}
    shapes = {}
    for cell in range(CELLS):
        root = f"celllist/{cell}/"
        for stack, widths in stacks.items():
            shapes |= {f"{root}{stack}/mylayers/{2 * i}/kernel": (3, 3, 3, widths[i], widths[i + 1]) for i in range(3)}
        for i in range(2):
            shapes |= {f"{root}ST/att/layer_with_weights-{i}/kernel": (n, n), f"{root}ST/att/layer_with_weights-{i}/bias": (n,)}
        shapes |= {f"{root}w": (2,), f"{root}mu": (), f"{root}t": (), f"{root}thres_lr": ()}
    return {name + VALUE: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def test_every_tensor_goes_to_its_place(tmp_path, rng):
    theirs = checkpoint(rng)
    found = read(write_bundle(tmp_path / "weight-best", theirs))
    assert dict(found.config) == {"cells": CELLS, "channels": CHANNELS}
    assert len(found.tensors) == len(theirs)
    t = found.tensors
    kernel = theirs[f"celllist/1/sconv_2/mylayers/4/kernel{VALUE}"]
    ours = t["cells.1.sparse.inverse_transform.2.weight"]
    assert ours.shape == (2, CHANNELS, 3, 3, 3)
    assert ours[1, 2, 0, 2, 1] == kernel[0, 1, 2, 2, 1]  # time, y, x: phase encoding, their last axis, is our y
    assert np.array_equal(
        t["cells.0.low_rank.transform.1.weight"].transpose(2, 4, 3, 1, 0), theirs[f"celllist/0/lconv_1/mylayers/2/kernel{VALUE}"]
    )
    assert np.array_equal(
        t["cells.0.low_rank.inverse_transform.0.weight"].transpose(2, 4, 3, 1, 0),
        theirs[f"celllist/0/lconv_2/mylayers/0/kernel{VALUE}"],
    )
    assert np.array_equal(
        t["cells.1.sparse.attention.fc2.weight"], theirs[f"celllist/1/ST/att/layer_with_weights-1/kernel{VALUE}"].T
    )
    assert t["cells.1.low_rank.threshold"].shape == ()
    assert t["cells.1.low_rank.threshold"] == theirs[f"celllist/1/thres_lr{VALUE}"]
    assert t["cells.0.momentum"] == theirs[f"celllist/0/t{VALUE}"]
    assert t["cells.0.step_size"] == theirs[f"celllist/0/mu{VALUE}"]
    assert np.array_equal(t["cells.0.omega"], theirs[f"celllist/0/w{VALUE}"])
    assert all(v.dtype == np.float32 for v in t.values())


@pytest.mark.parametrize(
    ("folder", "label", "normalisation", "accelerations"),
    [
        ("JotlasNet-radial-16-20240129T145900", "radial-16", "image_max", None),
        ("JotlasNet-vista-8-20240310T103123", "vista-8", "kspace_max", (8.0, 8.0)),
        ("JotlasNet-vds-0.1-2024", "vds-0.1", "image_max", (10.0, 10.0)),
    ],
)
def test_the_card_says_what_the_folder_says(tmp_path, rng, folder, label, normalisation, accelerations):
    (tmp_path / folder).mkdir()
    found = read(write_bundle(tmp_path / folder / "weight-best", checkpoint(rng)))
    assert found.label == label
    assert found.card["normalisation"] == normalisation
    assert found.card.get("accelerations") == accelerations
    assert folder in found.card["source"]


@pytest.mark.parametrize("folder", ["vds-0", "vista-2024.01.02", "vista", "heart"])
def test_other_folders_say_nothing(tmp_path, rng, folder):
    place = tmp_path / folder
    place.mkdir()
    found = read(write_bundle(place / "weight-best", checkpoint(rng)))
    assert found.label == "weight-best"
    assert "masks" not in found.card


def test_missing_unknown_and_misshapen_tensors_are_listed(tmp_path, rng):
    theirs = checkpoint(rng)
    del theirs[f"celllist/1/mu{VALUE}"]
    theirs[f"celllist/0/extra{VALUE}"] = np.zeros(2, np.float32)
    theirs[f"celllist/0/w{VALUE}"] = np.zeros(3, np.float32)
    with pytest.raises(CheckpointMismatch, match="is not a JotlasNet") as caught:
        read(write_bundle(tmp_path / "weight-best", theirs))
    for part in ("missing: celllist/1/mu", "unknown: celllist/0/extra", "other shape: celllist/0/w", "(3,) instead of (2,)"):
        assert part in caught.value.message
    assert caught.value.hint


def test_another_network_is_refused(tmp_path):
    with pytest.raises(CheckpointMismatch, match="expected a tensor celllist/0/lconv_1"):
        read(write_bundle(tmp_path / "other", {"conv/kernel": np.zeros((3, 3), np.float32)}))
    with pytest.raises(FormatError, match="no TensorFlow checkpoint"):
        read(tmp_path / "none.index")


def test_it_is_registered_with_its_licence():
    importer = PUBLISHED.get("jotlasnet-tf")
    assert importer.networks == ("jotlasnet",)
    assert importer.licence == "GPL-3.0"
    assert importer.read is read


@pytest.mark.slow
@pytest.mark.shared
def test_the_released_checkpoint_is_read_exactly(shared):
    from tests.engine.models.published import our_name

    folder = shared / "golden" / "released" / "jotlasnet-radial-16"
    converted = {our_name(k): v for k, v in load_file(folder / "weights.safetensors").items()}
    for path in (folder / "tf", folder / "tf" / "weight-best", folder / "tf" / "weight-best.index"):
        found = read(path)
        assert found.tensors.keys() == converted.keys()
        assert all(np.array_equal(turned(value).ravel(), converted[k].ravel()) for k, value in found.tensors.items())
        assert sum(v.size for v in found.tensors.values()) == 708_075
        assert dict(found.config) == {"cells": 15, "channels": 16}
        assert found.label == "radial-16"
