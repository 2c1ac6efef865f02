"""The importer of CineVN: every tensor to its place, everything else refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.core.errors import CheckpointMismatch, FormatError
from engine.models.cinevn import CineVN, CineVNConfig
from engine.weights.published import PUBLISHED
from engine.weights.published.cinevn import read

CASCADES, FILTERS = 4, 3


def block(name, a, b):
    shapes = {f"{name}.identity.0.weight": (b, a, 1, 1, 1)}
    for layer, width in ((0, a), (4, b)):
        shapes[f"{name}.layers.{layer}.0.conv.weight"] = (b, width, 3, 3)
        shapes[f"{name}.layers.{layer}.3.conv.weight"] = (b, b, 3)
    return shapes


def cinevn(after=(1, 3)):
    """Return random tensors by its author's names: 2 pools, conjugate gradients after the cascades ``after``."""
    shapes = {f"cgdc.{index}.mu": () for index in after}
    for index in range(CASCADES):
        root = f"cascades.{index}"
        shapes |= {f"{root}.dc_weight": (1,), f"{root}.reg_landscape": (10, 10, 10)}
        unet = f"{root}.model.unet"
        shapes |= block(f"{unet}.enc_conv_blocks.0", 2, 3) | block(f"{unet}.enc_conv_blocks.1", 3, 6)
        shapes |= block(f"{unet}.bottleneck", 6, 12)
        for position, (a, b) in enumerate(((12, 6), (6, 3))):
            shapes |= block(f"{unet}.dec_conv_blocks.{position}", a, b)
            shapes[f"{unet}.dec_transpose_convs.{position}.layers.1.conv.weight"] = (b, a, 3, 3)
            shapes[f"{unet}.dec_transpose_convs.{position}.layers.4.conv.weight"] = (b, b, 3)
        shapes |= {f"{unet}.out.weight": (2, 3, 1, 1, 1), f"{unet}.out.bias": (2,)}
    g = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}


def saved(tmp_path, state):
    path = tmp_path / "cinevn_r8.ckpt"
    torch.save({"state_dict": state, "epoch": 149, "hyper_parameters": {"chans": FILTERS, "cgdc_interval": 2}}, path)
    return path


def test_every_tensor_goes_to_its_place(tmp_path):
    theirs = cinevn()
    found = read(saved(tmp_path, theirs))
    assert found.network == "cinevn"
    assert dict(found.config) == {"cascades": 4, "filters": 3, "pools": 2, "cg_every": 2, "cg_iterations": 10}
    t = found.tensors
    unet = "cascades.2.model.unet"
    spatial = theirs[f"{unet}.dec_conv_blocks.0.layers.4.0.conv.weight"].numpy()
    assert np.array_equal(t["cascades.2.unet.decoder.0.second.spatial.weight"][:, :, 0], spatial.swapaxes(2, 3))
    temporal = theirs[f"{unet}.dec_transpose_convs.1.layers.4.conv.weight"].numpy()
    assert np.array_equal(t["cascades.2.unet.up.1.temporal.weight"][..., 0, 0], temporal)
    assert t["cascades.2.landscape"][3, 4, 5] == theirs["cascades.2.reg_landscape"][3, 5, 4]  # their last axis is our ky
    assert t["cascades.2.weight"].shape == t["mu.1"].shape == ()
    assert t["mu.1"] == theirs["cgdc.3.mu"].item()
    assert sum(v.size for v in t.values()) == sum(v.numel() for v in theirs.values())
    network = CineVN(CineVNConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in t.items()})


@pytest.mark.parametrize("prefix", ["varnet.", "varnet._orig_mod."])
def test_a_checkpoint_of_its_training_is_understood(tmp_path, prefix):
    beside = {"loss.weights": torch.ones(2), "loss.losses.0.w": torch.ones(1, 1, 7, 7, 7)}
    state = {f"{prefix}{name}": value for name, value in cinevn().items()} | beside
    found = read(saved(tmp_path, state))
    assert found.config["cascades"] == CASCADES
    assert sum(v.size for v in found.tensors.values()) == sum(v.numel() for v in cinevn().values())


@pytest.mark.parametrize(("after", "every"), [((), 0), ((2,), 3), ((0, 1, 2, 3), 1), ((3,), 4)])
def test_where_conjugate_gradients_follow_is_read_off(tmp_path, after, every):
    found = read(saved(tmp_path, cinevn(after)))
    assert found.config["cg_every"] == every
    assert sum(name.startswith("mu.") for name in found.tensors) == len(after)


@pytest.mark.parametrize("after", [(1,), (-1,), (0, 2)])
def test_conjugate_gradients_at_other_places_are_refused(tmp_path, after):
    with pytest.raises(CheckpointMismatch, match="conjugate gradients at other places") as caught:
        read(saved(tmp_path, cinevn(after)))
    assert caught.value.hint


FIRST = "cascades.0.model.unet.enc_conv_blocks.0.layers.0.0.conv.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("cascades.3.reg_landscape"), "missing: cascades.3.reg_landscape"),
        (lambda s: s.update({"cascades.0.extra": torch.ones(1)}), "unknown: cascades.0.extra"),
        (lambda s: s.update({"cascades.1.dc_weight": torch.ones(2)}), "other shape: cascades.1.dc_weight"),
        (lambda s: s.pop("cascades.0.dc_weight"), "is not a CineVN"),
        (lambda s: s.update({FIRST: torch.ones(3, 2, 3, 3, 3)}), "is not a CineVN"),
    ],
)
def test_other_tensors_are_refused(tmp_path, change, message):
    state = cinevn()
    change(state)
    with pytest.raises(CheckpointMismatch, match=message) as caught:
        read(saved(tmp_path, state))
    assert caught.value.hint


def test_the_card_tells_the_terms(tmp_path):
    found = read(saved(tmp_path, cinevn()))
    assert "marcvornehm/CineVN, cinevn_r8.ckpt" in found.card["source"]
    assert PUBLISHED.get("cinevn").licence == "none stated (parts MIT)"


def test_a_pointer_instead_of_the_file_is_refused(tmp_path):
    path = tmp_path / "cinevn.ckpt"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 33110000\n")
    with pytest.raises(FormatError, match=r"cinevn\.ckpt") as caught:
        read(path)
    assert caught.value.hint
