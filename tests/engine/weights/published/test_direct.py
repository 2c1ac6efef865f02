"""The importer of DIRECT's checkpoints: every tensor to its place, everything else refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from engine.core.errors import CheckpointMismatch, FormatError
from engine.models.recurrent_varnet import RecurrentVarNet, RecurrentVarNetConfig
from engine.weights.published import PUBLISHED
from engine.weights.published.direct import read
from engine.weights.published.direct_recurrent import rvn
from engine.weights.published.unet_names import unet_names, unet_sizes

STEPS, HIDDEN, LAYERS, WIDTHS, FILTERS = 2, 3, 2, (2, 2, 4, 5), 2


def recurrent(channels=2, multiscale=2):
    """Return random tensors by DIRECT's names."""
    g = torch.Generator().manual_seed(0)
    shapes = {}

    def conv(name, b, a, k):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (b, a, k, k), (b,)

    for i, (a, b) in enumerate(zip((channels, *WIDTHS), WIDTHS, strict=False)):
        conv(f"initializer.conv_blocks.{i}.1", b, a, 3)
    for i in range(LAYERS):
        conv(f"initializer.out_blocks.{i}.0", HIDDEN, sum(WIDTHS[-multiscale:]), 1)
    for step in range(STEPS):
        root = f"block_list.{step}"
        shapes[f"{root}.learning_rate"] = (1,)
        ends = (channels, *[HIDDEN] * LAYERS, channels)
        for i in range(LAYERS + 1):
            conv(f"{root}.regularizer.conv_blocks.{i}.1", ends[i + 1], ends[i], 5 if i == 0 else 3)
        for i in range(LAYERS):
            for gate in ("reset", "update", "out"):
                conv(f"{root}.regularizer.{gate}_gates.{i}.0", HIDDEN, 2 * HIDDEN, 1)
    return {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}


def unet(channels=2, pools=4):
    """Return random tensors of a coil-map network by DIRECT's names."""
    g = torch.Generator().manual_seed(1)
    names = unet_names("", "", channels, channels, FILTERS, pools)
    return {theirs: torch.randn(shape, generator=g) for _, theirs, shape in names}


def saved(tmp_path, **sections):
    path = tmp_path / "model_1000.pt"
    torch.save({**sections, "optimizer": {"state": {}}, "__author__": "somebody", "__datetime__": "2025-05-30"}, path)
    return path


def test_every_tensor_goes_to_its_place(tmp_path):
    theirs = recurrent()
    found = read(saved(tmp_path, model=theirs))
    assert found.network == "recurrent_varnet"
    assert dict(found.config) == {"steps": STEPS, "hidden": HIDDEN, "layers": LAYERS, "multiscale": 2, "initialiser": WIDTHS}
    assert found.label == "model_1000"
    t = found.tensors
    step = "iterations.steps.1"
    assert t[f"{step}.alpha"].shape == ()
    assert t[f"{step}.alpha"] == theirs["block_list.1.learning_rate"].item()
    kernel = theirs["block_list.1.regularizer.conv_blocks.0.1.weight"].numpy()
    assert t[f"{step}.rnn.convs.0.weight"][2, 1, 0, 3] == kernel[2, 1, 3, 0]  # their phase encoding is the last axis
    gates = t[f"{step}.rnn.cells.1.gates.weight"]
    assert np.array_equal(gates[:HIDDEN], theirs["block_list.1.regularizer.update_gates.1.0.weight"])
    assert np.array_equal(gates[HIDDEN:], theirs["block_list.1.regularizer.reset_gates.1.0.weight"])
    assert np.array_equal(t[f"{step}.rnn.cells.0.candidate.bias"], theirs["block_list.1.regularizer.out_gates.0.0.bias"])
    assert np.array_equal(t["iterations.initialiser.outputs.1.weight"], theirs["initializer.out_blocks.1.0.weight"])
    assert sum(v.size for v in t.values()) == sum(v.numel() for v in theirs.values())


def test_what_is_imported_loads(tmp_path):
    found = read(saved(tmp_path, model=recurrent(), sensitivity_model=unet()))
    assert found.config["maps"] == "network"
    assert found.config["maps_filters"] == FILTERS
    network = RecurrentVarNet(RecurrentVarNetConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.tensors.items()})
    weights = unet()["up_conv.3.1.weight"].numpy()
    assert np.array_equal(found.tensors["sensitivity.unet.output.weight"], weights)


def test_names_of_parallel_training_are_understood(tmp_path):
    found = read(saved(tmp_path, model={f"module.{name}": value for name, value in recurrent().items()}))
    assert found.config["steps"] == STEPS


def test_the_card_tells_source_and_scaling(tmp_path):
    found = read(saved(tmp_path, model=recurrent()))
    assert "NKI-AI/direct, model_1000.pt" in found.card["source"]
    assert found.card["normalisation"] == "kspace_p99_all"
    assert PUBLISHED.get("direct").licence == "Apache-2.0"
    assert "recurrent_varnet" in PUBLISHED.get("direct").networks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s.pop("block_list.1.regularizer.reset_gates.0.0.bias"),
            "missing: block_list.1.regularizer.reset_gates.0.0.bias",
        ),
        (lambda s: s.update({"block_list.0.extra": torch.ones(1)}), "unknown: block_list.0.extra"),
        (lambda s: s.update({"block_list.0.learning_rate": torch.ones(2)}), "other shape: block_list.0.learning_rate"),
        (lambda s: s.pop("initializer.out_blocks.0.0.weight"), "initializer.out_blocks.0.0.weight"),
        (lambda s: s.pop("initializer.conv_blocks.3.1.weight"), "has another form"),
        (lambda s: [s.pop(k) for k in list(s) if k.startswith("block_list.1.")], "holds one time step"),
    ],
)
def test_a_network_of_another_form_is_refused(tmp_path, change, message):
    state = recurrent()
    change(state)
    with pytest.raises(CheckpointMismatch, match=re.escape(message)) as caught:
        read(saved(tmp_path, model=state))
    assert caught.value.hint


def test_frames_as_channels_belong_to_another_source(tmp_path):
    with pytest.raises(CheckpointMismatch, match="takes 6 channels") as caught:
        read(saved(tmp_path, model=recurrent(channels=6)))
    assert "relax-qmri" in caught.value.hint


def test_frames_as_channels_are_counted():
    state = {name: value.numpy() for name, value in recurrent(channels=6).items()}
    assert rvn(state, "x")[1]["frames"] == 3
    odd = {name: value.numpy() for name, value in recurrent(channels=5).items()}
    with pytest.raises(CheckpointMismatch, match=r"takes 5 channels .*two for each frame"):
        rvn(odd, "x")


@pytest.mark.parametrize("pools", [2, 5])
def test_another_coil_map_network_is_refused(tmp_path, pools):
    with pytest.raises(CheckpointMismatch, match=f"expected as many input .* and {pools}") as caught:
        read(saved(tmp_path, model=recurrent(), sensitivity_model=unet(pools=pools)))
    assert caught.value.hint


def test_a_coil_map_network_with_other_tensors_is_refused(tmp_path):
    maps = unet()
    maps["conv.layers.0.bias"] = torch.ones(3)
    with pytest.raises(CheckpointMismatch, match=r"unknown: conv\.layers\.0\.bias"):
        read(saved(tmp_path, model=recurrent(), sensitivity_model=maps))


def test_other_networks_are_refused(tmp_path):
    with pytest.raises(CheckpointMismatch, match="is no network of DIRECT that is known here") as caught:
        read(saved(tmp_path, model={"layer.weight": torch.ones(2)}))
    assert caught.value.hint


def test_a_file_without_a_network_is_refused(tmp_path):
    with pytest.raises(FormatError, match="holds no network"):
        read(saved(tmp_path))


def test_a_unet_is_described_by_its_tensors():
    state = {name: value.numpy() for name, value in unet(3, 2).items()}
    assert unet_sizes(state, "", "x") == (3, 3, FILTERS, 2)
    with pytest.raises(CheckpointMismatch, match=r"x holds no U-Net .*up_conv\.1\.1\.weight"):
        unet_sizes({k: v for k, v in state.items() if not k.startswith("up_conv.1.1")}, "", "x")
    with pytest.raises(CheckpointMismatch, match="found nothing"):
        unet_sizes({}, "", "x")
