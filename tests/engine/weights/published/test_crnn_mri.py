"""The importer of CRNN-MRI's released weights: every tensor to its place, and nothing else."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import CheckpointMismatch
from engine.models.crnn_mri import CRNNMRI, CRNNConfig
from engine.weights.published import PUBLISHED
from engine.weights.published.crnn_mri import read

C = 3


def checkpoint():
    """Return random tensors by the authors' names and shapes."""
    g = torch.Generator().manual_seed(0)
    kernels = {"bcrnn.CRNN_model.i2h": (C, 2), "bcrnn.CRNN_model.h2h": (C, C), "bcrnn.CRNN_model.ih2ih": (C, C), "conv4_x": (2, C)}
    kernels |= {f"conv{layer}_{kind}": (C, C) for layer in (1, 2, 3) for kind in "xh"}
    state = {f"{name}.weight": torch.randn(*widths, 3, 3, generator=g) for name, widths in kernels.items()}
    return state | {f"{name}.bias": torch.randn(widths[0], generator=g) for name, widths in kernels.items()}


def saved(folder, state):
    torch.save(state, folder / "crnn_mri_d5_c5.pth")
    return folder / "crnn_mri_d5_c5.pth"


def test_every_tensor_goes_to_its_place(tmp_path):
    state = checkpoint()
    found = read(saved(tmp_path, state))
    assert dict(found.config) == {"iterations": 5, "channels": C, "shared": True}
    assert found.label == "crnn_mri_d5_c5"
    network = CRNNMRI(CRNNConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.tensors.items()})
    layers = network.iterations[0]
    places = {
        "bcrnn.CRNN_model.i2h": layers.recurrent.input,
        "bcrnn.CRNN_model.h2h": layers.recurrent.time,
        "bcrnn.CRNN_model.ih2ih": layers.recurrent.iteration,
        "conv4_x": layers.last,
    }
    for layer in range(3):
        places |= {f"conv{layer + 1}_x": layers.iterated[layer].input, f"conv{layer + 1}_h": layers.iterated[layer].iteration}
    assert 2 * len(places) == len(state)
    for theirs, layer in places.items():
        assert torch.equal(layer.weight, state[f"{theirs}.weight"]), theirs
        assert torch.equal(layer.bias, state[f"{theirs}.bias"]), theirs
    assert read(saved(tmp_path, state), iterations=3).config["iterations"] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conv2_h.bias"), r"missing: conv2_h\.bias"),
        (lambda s: s.update({"conv5_x.weight": torch.zeros(2, C, 3, 3)}), r"unknown: conv5_x\.weight"),
        (lambda s: s.update({"conv1_x.weight": torch.zeros(C, C, 5, 5)}), r"other shape: conv1_x\.weight"),
        (lambda s: s.pop("bcrnn.CRNN_model.i2h.weight"), "is not a CRNN-MRI"),
    ],
)
def test_another_network_is_refused_by_name(tmp_path, change, message):
    state = checkpoint()
    change(state)
    with pytest.raises(CheckpointMismatch, match=message):
        read(saved(tmp_path, state))


def test_the_source_is_registered():
    source = PUBLISHED.get("crnn-mri")
    assert source.networks == ("crnn_mri",)
    assert source.licence == "Apache-2.0"
    assert source.read is read
