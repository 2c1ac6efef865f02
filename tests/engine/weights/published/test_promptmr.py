"""The importer of PromptMR's checkpoints, on the fixture and on what is made of it."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from engine.core.errors import CheckpointMismatch
from engine.weights.published import PUBLISHED
from engine.weights.published.promptmr import read

pytestmark = pytest.mark.shared


@pytest.fixture
def state(shared):
    return load_file(shared / "golden" / "promptmr" / "weights.safetensors")


def saved(folder, state):
    torch.save(state, folder / "promptmr.ckpt")
    return folder / "promptmr.ckpt"


def test_sizes_are_read_off_the_tensors(shared):
    found = read(shared / "golden" / "promptmr" / "weights.safetensors")
    assert dict(found.config) == {
        "cascades": 2, "adjacent": 3, "features": 8, "dims": (12, 16, 20), "prompt_dims": (4, 8, 12), "prompts": (4, 4, 4),
        "prompt_sizes": (10, 6, 4), "encoder": (2, 2, 2), "decoder": (2, 2, 2), "skip": (1, 1, 1), "bottleneck": 2,
        "learnable_prompts": False, "maps_features": 4, "maps_dims": (8, 8, 12), "maps_prompt_dims": (4, 4, 8),
    }  # fmt: skip


def test_every_tensor_goes_to_its_place(tmp_path, state):
    # As PyTorch Lightning keeps it: a prefix, the loss's buffer, other entries beside the state.
    wrapped = {f"promptmr.{name}": value for name, value in state.items()} | {"loss.w": torch.ones(1, 1, 7, 7)}
    tensors = read(saved(tmp_path, {"state_dict": wrapped, "epoch": 11})).tensors
    unet = "cascades.1.model.unet"
    first, last = state[f"{unet}.feat_extract.weight"], state[f"{unet}.conv_last.weight"]
    for frame in range(3):
        for part in range(2):
            # Theirs: all real parts, then all imaginary parts; phase encoding is their last axis and ours the one before.
            ours, theirs = 2 * frame + part, 3 * part + frame
            assert torch.equal(torch.from_numpy(tensors["cascades.1.unet.first.weight"][:, ours]), first[:, theirs].mT)
            assert torch.equal(torch.from_numpy(tensors["cascades.1.unet.last.weight"][ours]), last[theirs].mT)
    places = {
        "cascades.1.unet.encoder.2.blocks.1.conv2.weight": f"{unet}.enc_level3.encoder.1.body.2.weight",
        "cascades.1.unet.encoder.0.blocks.0.activation.weight": f"{unet}.enc_level1.encoder.0.body.1.weight",
        "cascades.1.unet.encoder.1.down.bias": f"{unet}.enc_level2.down.bias",
        "cascades.1.unet.bottleneck.1.squeeze.weight": f"{unet}.bottleneck.1.CA.conv_du.0.weight",
        "cascades.1.unet.decoder.2.fuse.0.excite.weight": f"{unet}.dec_level3.fuse.0.CA.conv_du.2.weight",
        "cascades.1.unet.decoder.1.refine.conv1.weight": f"{unet}.dec_level2.ca.body.0.weight",
        "cascades.1.unet.decoder.0.up.weight": f"{unet}.dec_level1.up.1.weight",
        "cascades.1.unet.decoder.0.skip.0.conv1.weight": f"{unet}.skip_attn1.skip_attn.0.body.0.weight",
        "cascades.1.unet.decoder.1.prompt.linear.bias": f"{unet}.prompt_level2.linear_layer.bias",
        "sensitivity.unet.decoder.2.prompt.conv.weight": "sens_net.norm_unet.unet.prompt_level3.dec_conv3x3.weight",
    }
    for ours, theirs in places.items():
        expected = state[theirs].mT if state[theirs].ndim == 4 else state[theirs]
        assert torch.equal(torch.from_numpy(tensors[ours]), expected), ours
    prompts = state[f"{unet}.prompt_level3.prompt_param"]
    assert torch.equal(torch.from_numpy(tensors["cascades.1.unet.decoder.2.prompt.prompts"]), prompts[0].mT)
    assert tensors["cascades.1.eta"] == state["cascades.1.dc_weight"].item()
    assert tensors["slope"] == state[f"{unet}.bottleneck.0.body.1.weight"].item()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("cascades.1.dc_weight"), r"missing: cascades\.1\.dc_weight"),
        (lambda s: s.update({"cascades.0.model.unet.extra": torch.zeros(1)}), "unknown: cascades.0.model.unet.extra"),
        (lambda s: s.pop("cascades.0.model.unet.conv_last.weight"), "is not a PromptMR .*conv_last"),
        (
            lambda s: s.update({"cascades.1.model.unet.enc_level2.down.bias": torch.zeros(3)}),
            "other shape: cascades.1.model.unet.enc_level2.down.bias",
        ),
        (lambda s: s.update({"cascades.0.model.unet.prompt_level1.prompt_param": torch.zeros(4)}), "prompts with five axes"),
        (
            lambda s: s.update({"cascades.0.model.unet.conv_last.weight": torch.tensor(1.0)}),
            "conv_last.weight / found a single number",
        ),
        (
            lambda s: s["cascades.1.model.unet.bottleneck.1.body.1.weight"].add_(1),
            "one activation slope .*cascades.1.model.unet.bottlene",
        ),
    ],
)
def test_another_network_is_refused_by_name(tmp_path, state, change, message):
    state = {name: value.clone() for name, value in state.items()}
    change(state)
    with pytest.raises(CheckpointMismatch, match=message):
        read(saved(tmp_path, state))


def test_the_source_is_registered():
    source = PUBLISHED.get("promptmr")
    assert source.networks == ("promptmr",)
    assert source.licence == "MIT"
    assert source.read is read
