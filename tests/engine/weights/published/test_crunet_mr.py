"""The importer of CRUNet-MR's checkpoints: every tensor to its place, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from engine.core.errors import CheckpointMismatch, FormatError
from engine.models.crunet_mr import CRUNetConfig, CRUNetMR
from engine.weights.published import PUBLISHED
from engine.weights.published.crunet_mr import read

C = 3
ONE_BY_ONE = ("conv11", "conv21", "conv31", "conv41", "conv51")


def checkpoint(cascades=2):
    """Return random tensors by the authors' names and shapes, the unused map included."""
    g = torch.Generator().manual_seed(0)
    shapes = {
        "conv0": (C, 2, 3, 3),
        "conv": (2, C, 5, 5),
        "u_conv.convTranspose2d": (C, C, 2, 2),
        "u_conv.convTranspose1d": (C, C, 3),
    }
    shapes |= {f"{unit}.CRNN_model.{part}": (C, C, 3, 3) for unit in ("d_crnn1", "d_crnn2", "bcrnn", "u_crnn1", "u_crnn2")
               for part in ("i2h", "h2h", "ih2ih")}  # fmt: skip
    shapes |= dict.fromkeys(ONE_BY_ONE, (C, C, 1, 1))
    for name, width, kernel in (("d_conv", 1, 2), ("convs1", 1, 3), ("convs2", 1, 3), ("conv1", 2, 3), ("conv2", 2, 3)):
        shapes |= {f"{name}.conv2d": (C, width * C, kernel, kernel), f"{name}.conv1d": (C, C, 3)}
    state = {}
    for cascade in range(cascades):
        for name, shape in shapes.items():
            state[f"cascades.{cascade}.{name}.weight"] = torch.randn(shape, generator=g)
            state[f"cascades.{cascade}.{name}.bias"] = torch.randn(2 if name == "conv" else C, generator=g)
        state[f"cascades.{cascade}.pp"] = torch.zeros(1, 2, 224, 112)
    return state


def saved(folder, state):
    torch.save(state, folder / "latest.pth")
    return folder / "latest.pth"


def test_every_tensor_goes_to_its_place(tmp_path):
    state = checkpoint()
    found = read(saved(tmp_path, {"model_state_dict": state, "epoch": 3}))
    assert dict(found.config) == {"cascades": 2, "channels": C}
    assert found.label == "latest"
    network = CRUNetMR(CRUNetConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.tensors.items()})
    block, old = network.cascades[1], "cascades.1."
    places = {
        "d_crnn2.CRNN_model.ih2ih": block.encoder2.recurrent.iteration,
        "bcrnn.CRNN_model.h2h": block.bottleneck.recurrent.time,
        "u_crnn1.CRNN_model.i2h": block.decoder2.recurrent.input,
        "u_crnn2.CRNN_model.i2h": block.decoder1.recurrent.input,
        "conv41": block.decoder2.side,
        "conv51": block.decoder1.side,
        "convs1.conv2d": block.mix2.spatial,
        "convs2.conv2d": block.mix_bottleneck.spatial,
        "conv1.conv2d": block.fuse2.spatial,
        "conv2.conv2d": block.fuse1.spatial,
        "u_conv.convTranspose2d": block.up.spatial,
        "conv": block.last,
    }
    for theirs, layer in places.items():
        # Phase encoding is their last axis and ours the one before.
        assert torch.equal(layer.weight, state[f"{old}{theirs}.weight"].mT), theirs
        assert torch.equal(layer.bias, state[f"{old}{theirs}.bias"]), theirs
    assert torch.equal(block.up.temporal.weight, state[f"{old}u_conv.convTranspose1d.weight"])


def test_prefixes_of_parallel_training_are_taken_away(tmp_path):
    state = checkpoint(1)
    plain = read(saved(tmp_path, state))
    wrapped = read(saved(tmp_path, {f"module.{name}": value for name, value in state.items()}))
    assert all(np.array_equal(wrapped.tensors[name], value) for name, value in plain.tensors.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("cascades.1.conv2.conv2d.bias"), r"missing: cascades\.1\.conv2\.conv2d\.bias"),
        (lambda s: s.update({"cascades.0.ppp": torch.zeros(1)}), r"unknown: cascades\.0\.ppp"),
        (lambda s: s.update({"cascades.0.conv.weight": torch.zeros(2, C, 3, 3)}), "other shape: cascades.0.conv.weight"),
        (lambda s: s.pop("cascades.0.conv0.weight"), "is not a CRUNet-MR"),
    ],
)
def test_another_network_is_refused_by_name(tmp_path, change, message):
    state = checkpoint()
    change(state)
    with pytest.raises(CheckpointMismatch, match=message):
        read(saved(tmp_path, state))


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    (tmp_path / "x.pth").write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"x\.pth"):
        read(tmp_path / "x.pth")


def test_the_source_is_registered():
    source = PUBLISHED.get("crunet-mr")
    assert source.networks == ("crunet_mr",)
    assert source.licence == "Apache-2.0"
    assert source.read is read


@pytest.mark.shared
def test_the_fixture_is_read(shared):
    path = shared / "golden" / "crunet-mr" / "weights.safetensors"
    found = read(path)
    assert dict(found.config) == {"cascades": 3, "channels": 8}
    assert sum(v.size for v in found.tensors.values()) == sum(v.size for v in load_file(path).values()) == 44670
