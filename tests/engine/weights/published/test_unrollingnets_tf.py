"""The importer of the five UnrollingNets networks, on checkpoints written by the tests and on released ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.core.errors import CheckpointMismatch, FormatError
from engine.weights.published import PUBLISHED
from engine.weights.published.unrollingnets_tf import read
from tests.engine.weights.bundle import write_bundle

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
CELLS, N = 2, 3
NETWORKS = ("dc_cnn", "ista_net", "lplus_s_net", "slr_net", "t2lr_net")


def checkpoint(network, rng):
    """Return random tensors by the authors' names and shapes."""
    shapes = {}
    for cell in range(CELLS):
        root = f"celllist/{cell}/"
        if network in ("dc_cnn", "ista_net", "slr_net"):
            widths = (2, N, N, N, N, N, 2)
            shapes |= {f"{root}conv_{i + 1}/mylayers/0/kernel": (3, 3, 3, widths[i], widths[i + 1]) for i in range(6)}
        stacks = {"lplus_s_net": {"sconv": (4, N, N, 2)}, "t2lr_net": {"lconv_1": (2, N, N, 2), "lconv_2": (2, N, N, 2)}}
        for stack, widths in stacks.get(network, {}).items():
            shapes |= {f"{root}{stack}/mylayers/{2 * i}/kernel": (3, 3, 3, widths[i], widths[i + 1]) for i in range(3)}
        scalars = {
            "dc_cnn": (),
            "ista_net": ("mu", "thres_coef"),
            "lplus_s_net": ("thres_coef",) if cell == CELLS - 1 else ("thres_coef", "gamma"),
            "slr_net": ("lambda_step", "lambda_step_2", "soft_thr", "thres_coef", "eta"),
            "t2lr_net": ("mu", "thres_lr"),
        }
        shapes |= {root + name: () for name in scalars[network]}
    return {name + VALUE: np.array(rng.standard_normal(shape), dtype=np.float32) for name, shape in shapes.items()}


def place(tmp_path, folder="Some-vista-8-20230101T000000"):
    (tmp_path / folder).mkdir()
    return tmp_path / folder / "weight-best"


@pytest.mark.parametrize("network", NETWORKS)
def test_the_network_is_told_from_its_tensors_and_fits_ours(tmp_path, rng, network):
    theirs = checkpoint(network, rng)
    found = read(write_bundle(place(tmp_path), theirs))
    assert found.network == network
    assert found.config["cells"] == CELLS
    assert found.config["channels"] == N
    assert len(found.tensors) == len(theirs)
    assert all(value.dtype == np.float32 for value in found.tensors.values())
    assert found.label == "vista-8"
    assert found.card["normalisation"] == "kspace_max"
    from engine.models import MODELS
    from engine.reconstruction.weights import expected_shapes, make_config

    spec = MODELS.get(network)
    shapes = expected_shapes(spec, make_config(spec, found.config, "a test"))
    assert dict(shapes) == {name: value.shape for name, value in found.tensors.items()}


@pytest.mark.parametrize(
    ("network", "ours", "theirs"),
    [
        ("dc_cnn", "cells.1.4.weight", "celllist/1/conv_5/mylayers/0/kernel"),
        ("ista_net", "cells.0.transform.2.weight", "celllist/0/conv_3/mylayers/0/kernel"),
        ("slr_net", "cells.1.inverse_transform.2.weight", "celllist/1/conv_6/mylayers/0/kernel"),
        ("lplus_s_net", "cells.0.sparse.0.weight", "celllist/0/sconv/mylayers/0/kernel"),
        ("t2lr_net", "cells.1.low_rank.inverse_transform.1.weight", "celllist/1/lconv_2/mylayers/2/kernel"),
    ],
)
def test_kernels_are_transposed_and_turned(tmp_path, rng, network, ours, theirs):
    tensors = checkpoint(network, rng)
    kernel = tensors[theirs + VALUE]  # (frame, y, x, in, out), phase encoding along x
    found = read(write_bundle(place(tmp_path), tensors)).tensors[ours]
    assert found.shape == (kernel.shape[4], kernel.shape[3], 3, 3, 3)
    assert found[1, 0, 0, 1, 2] == kernel[0, 2, 1, 0, 1]


@pytest.mark.parametrize(
    ("network", "pairs"),
    [
        ("ista_net", {"step_size": "mu", "threshold": "thres_coef"}),
        ("lplus_s_net", {"step_size": "gamma", "threshold": "thres_coef"}),
        ("t2lr_net", {"step_size": "mu", "low_rank.threshold": "thres_lr"}),
        (
            "slr_net",
            {
                "step_size": "lambda_step",
                "coupling": "lambda_step_2",
                "soft_threshold": "soft_thr",
                "threshold": "thres_coef",
                "multiplier_step": "eta",
            },
        ),
    ],
)
def test_scalars_go_to_their_places(tmp_path, rng, network, pairs):
    tensors = checkpoint(network, rng)
    found = read(write_bundle(place(tmp_path), tensors)).tensors
    for ours, theirs in pairs.items():
        assert found[f"cells.0.{ours}"].shape == ()
        assert found[f"cells.0.{ours}"] == tensors[f"celllist/0/{theirs}{VALUE}"]


@pytest.mark.parametrize(
    ("folder", "output"),
    [("LplusS_Net-radial-16-2023", "complex"), ("LplusS_Net-vista-12-2023", "magnitude"), ("any", "magnitude")],
)
def test_a_phase_is_trusted_where_training_saw_one(tmp_path, rng, folder, output):
    found = read(write_bundle(place(tmp_path, folder), checkpoint("lplus_s_net", rng)))
    assert found.config["output"] == output


@pytest.mark.parametrize("folder", ["SLR_Net-vds-0.1-2023", "SLR_Net-vds-10-2023"])
def test_variable_density_is_named_by_share_or_by_acceleration(tmp_path, rng, folder):
    card = read(write_bundle(place(tmp_path, folder), checkpoint("slr_net", rng))).card
    assert card["accelerations"] == (10.0, 10.0)
    assert card["masks"].startswith("variable density, 0.1 of the samples")


def converted(folder, tensors):
    """Write a checkpoint as safetensors with a key map, in the fixtures' way."""
    folder.mkdir()
    names, values = {}, {}
    for index, (theirs, value) in enumerate(sorted(tensors.items())):
        cell = theirs.split("/")[1]
        key = f"tensor{index}.weight"
        names[f"cells.<i>.{key}"] = theirs.replace(f"celllist/{cell}/", "celllist/<i>/")
        turned = value.transpose(4, 3, 0, 1, 2) if value.ndim == 5 else value.reshape(1)
        values[f"cells.{cell}.{key}"] = np.array(turned, order="C")
    save_file(values, folder / "weights.safetensors")
    (folder / "key_map.json").write_text(json.dumps(names))
    return folder


@pytest.mark.parametrize("network", NETWORKS)
def test_a_converted_file_is_the_checkpoint(tmp_path, rng, network):
    tensors = checkpoint(network, rng)
    original = read(write_bundle(place(tmp_path), tensors))
    folder = converted(tmp_path / "x-vista-12", tensors)
    for path in (folder, folder / "weights.safetensors"):
        found = read(path)
        assert found.network == network
        assert found.label == "vista-12"
        assert found.tensors.keys() == original.tensors.keys()
        assert all(np.array_equal(found.tensors[key], value) for key, value in original.tensors.items())


def test_a_converted_file_without_names_is_refused(tmp_path, rng):
    folder = converted(tmp_path / "x", checkpoint("dc_cnn", rng))
    (folder / "key_map.json").unlink()
    with pytest.raises(FormatError, match="cannot be read without the names of its checkpoint"):
        read(folder / "weights.safetensors")
    (folder / "key_map.json").write_text("[1, 2]")
    with pytest.raises(FormatError, match="cannot be read without the names of its checkpoint"):
        read(folder / "weights.safetensors")


def test_missing_unknown_and_misshapen_tensors_are_listed(tmp_path, rng):
    tensors = checkpoint("ista_net", rng)
    del tensors[f"celllist/1/mu{VALUE}"]
    tensors[f"celllist/0/extra{VALUE}"] = np.zeros(2, np.float32)
    tensors[f"celllist/1/conv_2/mylayers/0/kernel{VALUE}"] = np.zeros((3, 3, 3, 1, 1), np.float32)
    with pytest.raises(CheckpointMismatch, match="is not a whole ista_net") as caught:
        read(write_bundle(place(tmp_path), tensors))
    for part in ("missing: celllist/1/mu", "unknown: celllist/0/extra", "other shape: celllist/1/conv_2"):
        assert part in caught.value.message
    assert caught.value.hint


def test_another_network_is_refused(tmp_path):
    with pytest.raises(CheckpointMismatch, match="none of the five networks"):
        read(write_bundle(tmp_path / "other", {"conv/kernel": np.zeros((3, 3), np.float32)}))
    with pytest.raises(FormatError, match="no TensorFlow checkpoint"):
        read(tmp_path / "none.index")


def test_it_is_registered_with_its_licence():
    importer = PUBLISHED.get("unrollingnets-tf")
    assert set(importer.networks) == set(NETWORKS)
    assert importer.licence == "GPL-3.0"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "network", "count"),
    [
        ("dccnn-vista-8", "dc_cnn", 293_760),
        ("ista-net-plus-vista-8", "ista_net", 293_780),
        ("lpluss-net-vista-8", "lplus_s_net", 328_339),
        ("slr-net-vista-8", "slr_net", 293_810),
        ("t2lr-net-vista-8", "t2lr_net", 259_230),
    ],
)
def test_released_weights_are_whole(shared, folder, network, count):
    found = read(shared / "golden" / "released" / folder)
    assert found.network == network
    assert sum(value.size for value in found.tensors.values()) == count
    assert found.label == "vista-8"
    assert found.card["accelerations"] == (8.0, 8.0)
