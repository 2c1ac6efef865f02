"""3D UNet-MR: its size, its plain form, and that it is CRUNet-MR without recurrence."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import InputError
from engine.core.jobs import no_check
from engine.models import MODELS, ReconInput
from engine.models.parts.forms import plain_forms
from engine.models.parts.recurrent import to_frames
from engine.models.unet3d import UNet3dConfig, UNet3dMR
from engine.physics.operator import SenseOperator
from tests.engine.tensors import relative

SMALL = UNet3dConfig(cascades=2, channels=6)


def problem(batch=2, frames=4, coils=3, ky=21, kx=18):
    g = torch.Generator().manual_seed(1)
    maps = torch.randn(batch, 1, coils, ky, kx, dtype=torch.complex128, generator=g)
    maps = maps / maps.abs().square().sum(2, keepdim=True).sqrt()
    mask = torch.rand(batch, 1, 1, ky, 1, generator=g) < 0.5
    operator = SenseOperator(mask, maps)
    return ReconInput(operator.forward(torch.randn(batch, frames, ky, kx, dtype=torch.complex128, generator=g)), operator)


def test_parameters():
    spec = MODELS.get("unet3d")
    # CRUNet-MR's 4,537,930; in each cascade its five units of three convolutions become four of 3 x 3 x 3 and a pointwise one.
    unit, cube, point = 3 * (64 * 64 * 9 + 64), 64 * 64 * 27 + 64, 64 * 64 + 64
    assert spec.parameters("paper") == 4_537_930 + 5 * (4 * cube + point - 5 * unit) == 4_002_250
    assert spec.parameters("small") < 250_000


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_the_plain_form_computes_the_same(frames):
    torch.manual_seed(0)
    network = UNet3dMR(SMALL).double()
    data = problem(frames=frames)
    image = network(data)
    image.abs().square().sum().backward()
    grads = [p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    with plain_forms():
        plain = network(data)
        plain.abs().square().sum().backward()
    assert relative(image.detach(), plain.detach()) < 1e-11
    scale = max(float(g.abs().max()) for g in grads)
    for grad, parameter in zip(grads, network.parameters(), strict=True):
        assert float((grad - parameter.grad).abs().max()) < 1e-11 * scale
        assert float(grad.abs().max()) > 0


def test_frames_form_a_circle():
    torch.manual_seed(0)
    network = UNet3dMR(SMALL).double().eval()
    data = problem(frames=5)
    rolled = ReconInput(data.kspace.roll(2, 1), data.operator)
    with torch.inference_mode():
        assert relative(network(rolled).roll(-2, 1), network(data)) < 1e-11


def test_frames_see_only_their_surroundings():
    torch.manual_seed(0)
    block = UNet3dMR(UNet3dConfig(cascades=1, channels=4)).double().cascades[0]
    frames = to_frames(torch.randn(25, 2, 8, 8, dtype=torch.float64), 1)
    changed = [*frames]
    changed[12] = -frames[12]
    with torch.inference_mode():
        before, _ = block(frames, None, no_check)
        after, _ = block(changed, None, no_check)
    moved = [float((a - b).abs().max()) > 0 for a, b in zip(after, before, strict=True)]
    # Four Conv3D and six Conv(2+1)D one after the other, one frame to each side each.
    assert moved == [abs(t - 12) <= 10 for t in range(25)]


@pytest.mark.parametrize("setting", ["cascades", "channels"])
def test_sizes_are_checked(setting):
    with pytest.raises(InputError, match=f"{setting} of unet3d is out of range"):
        UNet3dConfig(**{setting: 0})
