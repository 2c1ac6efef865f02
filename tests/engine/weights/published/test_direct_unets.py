"""DIRECT's networks of U-Nets: every tensor to its place, everything else refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.core.errors import CheckpointMismatch
from engine.models.e2e_varnet import E2EVarNet, E2EVarNetConfig
from engine.models.vsharp import VSharp, VSharpConfig
from engine.weights.published import PUBLISHED
from engine.weights.published.direct import read
from engine.weights.published.unet_names import unet_names

STEPS, WIDTHS = 2, (2, 3, 4, 5)


def drawn(shapes):
    g = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}


def unet(prefix, channels=2, out=2, filters=3, pools=2, dimensions=2):
    return {theirs: shape for _, theirs, shape in unet_names("", prefix, channels, out, filters, pools, dimensions)}


def vsharp(widths=WIDTHS, channels=6, dimensions=3, blocks=STEPS):
    shapes = {"learning_rate_eta": (4,), "rho": (STEPS,), "initializer.activation.weight": (1,)}
    for i, (a, b) in enumerate(zip((2, *widths), widths, strict=False)):
        shapes |= {f"initializer.conv_blocks.{i}.1.weight": (b, a, 3, 3, 3), f"initializer.conv_blocks.{i}.1.bias": (b,)}
    shapes |= {"initializer.out_block.0.weight": (2, widths[-1], 1, 1, 1), "initializer.out_block.0.bias": (2,)}
    for index in range(blocks):
        shapes |= unet(f"denoiser_blocks.{index}.", channels, 2, 3, 2, dimensions)
    return drawn(shapes)


def e2e(channels=2):
    shapes = {f"layers_list.{index}.learning_rate": (1,) for index in range(STEPS)}
    for index in range(STEPS):
        shapes |= unet(f"layers_list.{index}.regularizer_model.", channels, channels)
    return drawn(shapes)


def saved(tmp_path, **sections):
    path = tmp_path / "model_1000.pt"
    torch.save({**sections, "__author__": "somebody"}, path)
    return path


def test_every_tensor_of_a_vsharp_goes_to_its_place(tmp_path):
    theirs = vsharp()
    found = read(saved(tmp_path, model=theirs))
    assert found.network == "vsharp"
    sizes = {"steps": 2, "dc_steps": 4, "filters": 3, "pools": 2, "initialiser": WIDTHS, "dilations": (1, 1, 2, 4)}
    assert dict(found.config) == sizes
    t = found.tensors
    assert [float(t[f"denoisers.{i}.rho"]) for i in range(STEPS)] == theirs["rho"].tolist()
    assert np.array_equal(t["eta"], theirs["learning_rate_eta"])
    kernel = theirs["denoiser_blocks.1.up_conv.0.layers.0.weight"].numpy()
    assert np.array_equal(t["denoisers.1.unet.decoder.0.block.conv1.weight"], kernel.swapaxes(3, 4))  # their last axis is our y
    assert sum(v.size for v in t.values()) == sum(v.numel() for v in theirs.values())
    network = VSharp(VSharpConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in t.items()})


def test_a_coil_map_network_beside_a_vsharp_becomes_part_of_it(tmp_path):
    beside = drawn(unet("", pools=4))
    found = read(saved(tmp_path, model=vsharp(), sensitivity_model=beside))
    assert found.config["maps"] == "network"
    assert found.config["maps_filters"] == 3
    network = VSharp(VSharpConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.tensors.items()})
    kernel = beside["up_conv.3.1.weight"].numpy()
    assert np.array_equal(found.tensors["sensitivity.unet.output.weight"], kernel)


def test_the_card_says_what_is_taken_for_granted(tmp_path):
    assert "dilations 1, 1, 2, 4" in read(saved(tmp_path, model=vsharp())).card["known_failures"][0]
    assert "known_failures" not in read(saved(tmp_path, model=e2e())).card


@pytest.mark.parametrize("maps", ["given", "network"])
def test_every_tensor_of_an_e2e_varnet_goes_to_its_place(tmp_path, maps):
    theirs, beside = e2e(), drawn(unet("", filters=2, pools=3))
    sections = {"model": theirs} | ({"sensitivity_model": beside} if maps == "network" else {})
    found = read(saved(tmp_path, **sections))
    assert found.network == "e2e_varnet"
    expected = {"cascades": 2, "filters": 3, "pools": 2, "form": "direct", "maps": maps}
    assert dict(found.config) == expected | ({"maps_filters": 2, "maps_pools": 3} if maps == "network" else {})
    assert float(found.tensors["cascades.1.eta"]) == float(theirs["layers_list.1.learning_rate"])
    total = sum(v.numel() for section in sections.values() for v in section.values())
    assert sum(v.size for v in found.tensors.values()) == total
    network = E2EVarNet(E2EVarNetConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.tensors.items()})


def test_both_are_networks_of_the_source():
    assert {"e2e_varnet", "vsharp", "recurrent_varnet"} <= set(PUBLISHED.get("direct").networks)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (vsharp(widths=(2, 3)), "another form of vSHARP .* 2 convolutions"),
        (vsharp(channels=4), "another form of vSHARP .* 4 to 2 channels"),
        (vsharp(dimensions=2), "another form of vSHARP .* 2 dimensions"),
        (vsharp(blocks=1), "another form of vSHARP .* one U-Net for all steps"),
        (vsharp() | {"extra": torch.ones(1)}, "is not a dynamic vSHARP .*unknown: extra"),
        (e2e(channels=4), "takes 4 and gives 4 channels"),
        (e2e() | {"extra": torch.ones(1)}, "is not an E2E VarNet of DIRECT .*unknown: extra"),
    ],
)
def test_other_forms_are_refused(tmp_path, state, message):
    with pytest.raises(CheckpointMismatch, match=message) as caught:
        read(saved(tmp_path, model=state))
    assert caught.value.hint
