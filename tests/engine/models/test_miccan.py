"""MICCAN against its authors' program, and how its batch normalisation is kept."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.core.errors import InputError, ShapeError
from engine.models import MODELS, ReconInput, miccan
from engine.models.miccan import UCA, Miccan, MiccanConfig
from engine.models.parts import checkpointing, frames
from engine.models.parts.forms import plain_forms
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator
from tests.engine.models.unrolled import problem, with_stages
from tests.engine.tensors import relative

NAMES = (
    (r"^layer\.(\d+)\.", r"blocks.\1."),
    (r"inc\.conv\.conv\.", "enter."),
    (r"down(\d)\.mpconv\.1\.conv\.", r"down\1."),
    (r"up(\d)\.conv\.conv\.", r"up\1.conv."),
    (r"up(\d)\.up\.1\.", r"up\1.halve."),
    (r"outc\.conv\.", "leave."),
    (r"se([345])\.layer\.1\.", lambda m: f"attention.{int(m[1]) - 3}.conv1."),
    (r"se([345])\.layer\.3\.", lambda m: f"attention.{int(m[1]) - 3}.conv2."),
)


def our_state(folder, prefix):
    """Return the part of a fixture's weights under ``prefix``, by our names."""
    state = {}
    for key, value in load_file(folder / "weights.safetensors").items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            for pattern, ours in NAMES:
                name = re.sub(pattern, ours, name)
            state[name] = value
    return state


@pytest.mark.parametrize(("preset", "count"), [("paper", 2_621_910), ("short", 2_621_910), ("no-attention", 2_593_770)])
def test_it_has_as_many_parameters_as_published(preset, count):
    assert MODELS.get("miccan").parameters(preset) == count


@pytest.mark.shared
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("kind", ["short", "long"])
def test_golden_images_and_residuals(shared, kind, plain):
    folder = shared / "golden" / "miccan-uca"
    stored = np.load(folder / "io.npz")
    network = Miccan(MiccanConfig(blocks=2, channels=8, long_skip=kind == "long")).eval()
    network.load_state_dict(our_state(folder, f"{kind}."))
    height, width = stored["kspace_masked"].shape
    mask = torch.fft.fftshift(torch.from_numpy(stored["mask"]) > 0).expand(1, 1, 1, height, width)
    # The same image through a centred transform; theirs sums without a factor.
    kspace = fft2c(torch.fft.ifft2(torch.from_numpy(stored["kspace_masked"]))) * mask
    operator = SenseOperator(mask, torch.ones(1, 1, 1, height, width, dtype=torch.complex64))
    data, stages = with_stages(ReconInput(kspace, operator))
    with torch.inference_mode():
        if plain:
            with plain_forms():
                network(data)
        else:
            network(data)
    magnitudes = stored[f"{kind}_magnitude_zero_filled_and_each_block"]
    assert relative(operator.adjoint(kspace)[0, 0].abs(), magnitudes[0]) < 2e-5
    for index, residual in enumerate(stored[f"{kind}_unet_output_each_block"]):
        assert relative(stages[index, "residual"][0, 0], residual[0] + 1j * residual[1]) < 2e-5
        assert relative(stages[index, "image"][0, 0].abs(), magnitudes[index + 1]) < 2e-5


def trained(kept):
    """Return running statistics and a gradient after one training step with a given idea of what is kept."""
    torch.manual_seed(0)
    network = Miccan(MiccanConfig(blocks=2, channels=8)).double().train()
    kspace, mask, maps = problem(ky=12, kx=13)
    network(ReconInput(kspace, SenseOperator(mask, maps))).abs().square().sum().backward()
    norm = network.blocks[1].down1[1]
    return norm.running_mean.clone(), norm.running_var.clone(), network.blocks[0].enter[0].weight.grad, norm.momentum


def test_recomputation_counts_statistics_once(monkeypatch):
    plain = trained(0)
    calls = []
    monkeypatch.setattr(checkpointing, "WORTH_BYTES", 1)
    forward = UCA.forward
    monkeypatch.setattr(UCA, "forward", lambda self, *args: (calls.append(1), forward(self, *args))[1])
    again = trained(1)
    assert len(calls) == 4  # both blocks twice
    assert all(torch.allclose(a, b) for a, b in zip(plain[:3], again[:3], strict=True))
    assert again[3] == plain[3] == 0.1


def test_evaluation_does_not_mix_frames(monkeypatch):
    monkeypatch.setattr(frames, "IMAGE_PIXELS", {"cpu": 2 * 9 * 11})
    kspace, mask, maps = problem(batch=1, frames=3)
    torch.manual_seed(0)
    network = Miccan(MiccanConfig(blocks=1, channels=8)).double().eval()
    with torch.no_grad():
        together = network(ReconInput(kspace, SenseOperator(mask, maps)))
        alone = network(ReconInput(kspace[:, 1:2], SenseOperator(mask[:, 1:2], maps)))
    assert relative(together[:, 1:2], alone) < 1e-10


def test_too_small_a_matrix_is_refused():
    kspace, mask, maps = problem(ky=3)
    with pytest.raises(ShapeError, match="too small for miccan"):
        Miccan(MiccanConfig(blocks=1, channels=8)).double()(ReconInput(kspace, SenseOperator(mask, maps)))


@pytest.mark.parametrize(("name", "value"), [("blocks", 0), ("channels", 4)])
def test_sizes_out_of_range_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name} of miccan is out of range"):
        miccan.MiccanConfig(**{name: value})
