"""The importer of relax_qmri_recon: three kinds of networks told apart, every tensor to its place, everything else refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.core.errors import CheckpointMismatch, FormatError
from engine.models.parts.mapping import MAPPING, MappingConfig, MappingNetwork
from engine.models.vn_unet import VNUNet, VNUNetConfig
from engine.weights.published import PUBLISHED
from engine.weights.published.relax_qmri import read, read_mapping
from engine.weights.published.unet_names import unet_names

LAYERS, FRAMES = 2, 3


def tensors(names, prefix="", seed=0):
    g = torch.Generator().manual_seed(seed)
    return {prefix + theirs: torch.randn(shape, generator=g) for _, theirs, shape in names}


def vn_unet(channels=2 * FRAMES, prefix="recon_net."):
    """Return random tensors of a VN-UNet of 3 filters and 2 pools by its authors' names."""
    state = {}
    for index in range(LAYERS):
        state[f"{prefix}block_list.{index}.learning_rate"] = torch.full((1,), 1.0 + index)
        names = unet_names("", f"block_list.{index}.regularizer.", channels, channels, 3, 2)
        state |= tensors(names, prefix, index)
    return state


def maps(channels=2 * FRAMES):
    return tensors(unet_names("", "", channels, channels, 2, 1), "sensitivity_net.", 5)


def mapping(samples=9, outputs=3, prefix=""):
    return tensors(unet_names("", "", 2 * samples, outputs, 4, 1), prefix, 6)


def saved(tmp_path, name="epoch_0400.model", **sections):
    torch.save({**sections, "optimizer": {"state": {}}, "epoch": 400}, tmp_path / name)
    return tmp_path / name


def test_every_tensor_of_a_vn_unet_goes_to_its_place(tmp_path):
    theirs = vn_unet() | maps()
    found = read(saved(tmp_path, model=theirs))
    assert found.network == "vn_unet"
    sizes = {"frames": FRAMES, "cascades": 2, "filters": 3, "pools": 2, "maps": "network", "maps_filters": 2, "maps_pools": 1}
    assert dict(found.config) == sizes
    t = found.tensors
    assert t["cascades.1.alpha"].shape == ()
    assert float(t["cascades.1.alpha"]) == 2.0
    kernel = theirs["recon_net.block_list.1.regularizer.down_sample_layers.1.layers.4.weight"].numpy()
    assert np.array_equal(t["cascades.1.unet.encoder.1.conv2.weight"], kernel.swapaxes(2, 3))  # their last axis is our y
    assert np.array_equal(t["sensitivity.unet.output.bias"], theirs["sensitivity_net.up_conv.0.1.bias"])
    assert sum(v.size for v in t.values()) == sum(v.numel() for v in theirs.values())
    network = VNUNet(VNUNetConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in t.items()})


def test_without_a_coil_map_network_maps_are_given(tmp_path):
    found = read(saved(tmp_path, model=vn_unet(prefix="")))
    assert found.config["maps"] == "given"
    assert not any(name.startswith("sensitivity") for name in found.tensors)


@pytest.mark.parametrize("how", ["beside", "inside", "by name"])
def test_what_was_trained_with_a_mapping_network_is_told_apart(tmp_path, how):
    if how == "beside":
        path = saved(tmp_path, model=vn_unet(), mapping_model=mapping(FRAMES, 2))
    elif how == "inside":
        path = saved(tmp_path, model=vn_unet() | mapping(FRAMES, 2, "mapping_net."))
    else:
        path = saved(tmp_path, "t1_04_relax.model", model=vn_unet())
    found = read(path)
    assert found.network == "vn_unet_relax"
    assert not any("mapping" in name for name in found.tensors)
    assert len(found.tensors) == len(vn_unet())
    if how != "by name":
        beside = read_mapping(path)
        assert beside.network == MAPPING.name
        assert beside.config["samples"] == FRAMES


@pytest.mark.parametrize(("samples", "outputs", "quantity", "kept"), [(9, 3, "T1", 3), (3, 2, "T2", 2), (3, 3, "T2", 2)])
def test_mapping_networks_are_read_alone(tmp_path, samples, outputs, quantity, kept):
    theirs = mapping(samples, outputs)
    found = read(saved(tmp_path, model=theirs))
    assert found.network == MAPPING.name
    assert dict(found.config) == {"quantity": quantity, "samples": samples, "filters": 4, "pools": 1}
    network = MappingNetwork(MappingConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.tensors.items()})
    assert np.array_equal(found.tensors["unet.output.weight"], theirs["up_conv.0.1.weight"][:kept])


@pytest.mark.shared
def test_a_recurrent_network_goes_to_rvn(shared):
    folder = shared / "golden" / "relax-rvn-18ch"
    assert read(folder / "weights.safetensors").network == "rvn"


def test_the_card_tells_that_there_is_no_licence(tmp_path):
    found = read(saved(tmp_path, model=vn_unet()))
    assert "relax_qmri_recon, epoch_0400.model" in found.card["source"]
    assert found.card["normalisation"] == "kspace_p99_all"
    assert PUBLISHED.get("relax-qmri").licence == "none stated"
    assert PUBLISHED.get("relax-qmri").networks == ("rvn", "vn_unet", "vn_unet_relax", "mapping_network")


FIRST = "recon_net.block_list.0.regularizer.down_sample_layers.0.layers.0.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("recon_net.block_list.1.learning_rate"), "missing: block_list.1.learning_rate"),
        (lambda s: s.update({"recon_net.block_list.0.extra": torch.ones(1)}), "unknown: block_list.0.extra"),
        (lambda s: s.update({"recon_net.block_list.0.learning_rate": torch.ones(2)}), "other shape: block_list.0.learning_rate"),
        (lambda s: s.update({FIRST: torch.ones(3, 5, 3, 3)}), "takes 5 and gives 6 channels"),
        (lambda s: [s.pop(k) for k in list(s) if "block_list" in k], "none of the networks"),
        (lambda s: s.update(maps(4)), "gives 6 channels"),
    ],
)
def test_other_tensors_are_refused(tmp_path, change, message):
    state = vn_unet() | {"something": torch.ones(1)} if message == "none of the networks" else vn_unet()
    change(state)
    with pytest.raises(CheckpointMismatch, match=message) as caught:
        read(saved(tmp_path, model=state))
    assert caught.value.hint


@pytest.mark.parametrize(("samples", "outputs"), [(9, 4), (9, 1)])
def test_other_u_nets_are_no_mapping_networks(tmp_path, samples, outputs):
    with pytest.raises(CheckpointMismatch, match="is not a mapping network") as caught:
        read(saved(tmp_path, model=mapping(samples, outputs)))
    assert caught.value.hint


def test_a_pickle_with_code_is_refused(tmp_path):
    with pytest.raises(FormatError, match="holds more than tensors"):
        read(saved(tmp_path, model=vn_unet(), network=torch.nn.Linear(1, 1)))
