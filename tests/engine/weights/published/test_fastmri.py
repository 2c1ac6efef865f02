"""The importer of fastMRI's VarNet: every tensor to its place, everything else refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.core.errors import CheckpointMismatch, FormatError
from engine.models.e2e_varnet import E2EVarNet, E2EVarNetConfig
from engine.weights.published import PUBLISHED
from engine.weights.published.fastmri import read
from engine.weights.published.unet_names import unet_names

CASCADES = 2


def varnet():
    """Return random tensors by fastMRI's names: U-Nets of 3 filters and 2 pools, 2 filters and 3 pools for the maps."""
    g = torch.Generator().manual_seed(0)
    shapes = {theirs: shape for _, theirs, shape in unet_names("", "sens_net.norm_unet.unet.", 2, 2, 2, 3)}
    for index in range(CASCADES):
        shapes[f"cascades.{index}.dc_weight"] = (1,)
        shapes |= {theirs: shape for _, theirs, shape in unet_names("", f"cascades.{index}.model.unet.", 2, 2, 3, 2)}
    return {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}


def saved(tmp_path, state, name="knee_leaderboard_state_dict.pt"):
    torch.save(state, tmp_path / name)
    return tmp_path / name


def test_every_tensor_goes_to_its_place(tmp_path):
    theirs = varnet()
    found = read(saved(tmp_path, theirs))
    assert found.network == "e2e_varnet"
    expected = {"cascades": 2, "filters": 3, "pools": 2, "maps": "network", "maps_filters": 2, "maps_pools": 3, "form": "fastmri"}
    assert dict(found.config) == expected
    assert found.label == "knee_leaderboard_state_dict"
    t = found.tensors
    assert t["cascades.1.eta"].shape == ()
    assert t["cascades.1.eta"] == theirs["cascades.1.dc_weight"].item()
    kernel = theirs["cascades.1.model.unet.up_transpose_conv.0.layers.0.weight"].numpy()
    assert np.array_equal(t["cascades.1.unet.unet.decoder.0.up.weight"], kernel.swapaxes(2, 3))  # their last axis is our y
    last = theirs["sens_net.norm_unet.unet.up_conv.2.0.layers.4.weight"].numpy()
    assert np.array_equal(t["sensitivity.unet.unet.decoder.2.block.conv2.weight"], last.swapaxes(2, 3))
    assert sum(v.size for v in t.values()) == sum(v.numel() for v in theirs.values())
    network = E2EVarNet(E2EVarNetConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in t.items()})


@pytest.mark.parametrize("wrap", ["lightning", "parallel", "safetensors"])
def test_other_ways_of_writing_the_same_are_understood(tmp_path, wrap):
    theirs = varnet()
    if wrap == "lightning":
        state = {f"varnet.{name}": value for name, value in theirs.items()} | {"loss.w": torch.ones(1, 1, 7, 7)}
        path = saved(tmp_path, {"state_dict": state, "epoch": 50, "global_step": 1000}, "epoch=50.ckpt")
    elif wrap == "parallel":
        path = saved(tmp_path, {f"module.{name}": value for name, value in theirs.items()})
    else:
        path = tmp_path / "varnet.safetensors"
        save_file(theirs, path)
    found = read(path)
    assert found.config["cascades"] == CASCADES
    assert sum(v.size for v in found.tensors.values()) == sum(v.numel() for v in theirs.values())


def test_the_card_tells_licence_source_and_what_it_was_trained_on(tmp_path):
    found = read(saved(tmp_path, varnet()))
    assert "facebookresearch/fastMRI, knee_leaderboard_state_dict.pt" in found.card["source"]
    assert "knees and brains" in found.card["known_failures"][0]
    assert PUBLISHED.get("fastmri").licence == "MIT"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("cascades.1.model.unet.conv.layers.0.weight"), "missing: cascades.1.model.unet.conv.layers.0.weight"),
        (lambda s: s.update({"cascades.0.extra": torch.ones(1)}), "unknown: cascades.0.extra"),
        (lambda s: s.update({"cascades.0.dc_weight": torch.ones(2)}), "other shape: cascades.0.dc_weight"),
        (lambda s: s.pop("cascades.0.dc_weight"), "is not a VarNet of fastMRI"),
        (lambda s: [s.pop(k) for k in list(s) if k.startswith("sens_net")], "holds no U-Net"),
    ],
)
def test_other_tensors_are_refused(tmp_path, change, message):
    state = varnet()
    change(state)
    with pytest.raises(CheckpointMismatch, match=message) as caught:
        read(saved(tmp_path, state))
    assert caught.value.hint


def test_a_pickle_with_code_is_refused(tmp_path):
    path = saved(tmp_path, {"state_dict": varnet(), "callback": torch.nn.Linear(1, 1)})
    with pytest.raises(FormatError, match="holds more than tensors"):
        read(path)
