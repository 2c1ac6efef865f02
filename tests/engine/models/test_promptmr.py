"""PromptMR against its authors' program, its plain form, and its sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from engine.core.errors import InputError
from engine.evaluation.complexity import macs
from engine.models import MODELS, ReconInput, promptmr
from engine.models.parts import sensitivity
from engine.models.parts.forms import plain_forms
from engine.models.promptmr import PromptMR, PromptMRConfig, offsets
from engine.physics.coils import rss
from engine.physics.fourier import ifft2c
from engine.physics.operator import SenseOperator
from engine.weights.published.promptmr import read
from tests.engine.models.varnet_problem import both_forms
from tests.engine.tensors import relative

TINY = PromptMRConfig(
    cascades=2, adjacent=3, features=8, dims=(8, 12, 12), prompt_dims=(4, 4, 4), prompts=(2, 3, 2), prompt_sizes=(6, 4, 3),
    encoder=(1, 1, 1), decoder=(1, 1, 1), bottleneck=1, maps_features=8, maps_dims=(8, 8, 8), maps_prompt_dims=(2, 2, 2),
)  # fmt: skip


def from_golden(folder, learnable=False):
    """Return (network, input, stored arrays), turned into our conventions: phase encoding along y."""
    found = read(folder / "weights.safetensors", learnable_prompts=learnable)
    network = PromptMR(PromptMRConfig(**found.config)).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.tensors.items()})
    stored = np.load(folder / "io.npz")
    kspace = torch.from_numpy(stored["kspace_masked"]).mT[None].contiguous()
    mask = torch.from_numpy(stored["mask"] > 0)[None, None, None, :, None]
    maps = torch.full_like(kspace, 3**-0.5)  # not used: the network finds its own
    return network, ReconInput(kspace, SenseOperator(mask, maps)), stored


@pytest.mark.shared
@pytest.mark.parametrize("plain", [False, True])
def test_golden(shared, plain):
    network, data, stored = from_golden(shared / "golden" / "promptmr")
    stages, iterates = {}, []
    record = replace(data, stages=lambda i, part, value: stages.__setitem__((i, part), value))
    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        # fastMRI's rule for the central lines, which for an odd matrix lie one line after ours.
        centre = torch.zeros(21, 26, dtype=torch.bool)
        centre[8:14] = True
        patch.setattr(sensitivity, "centre_of", lambda *_: centre)
        start = promptmr.KSpaceIterate.start
        patch.setattr(promptmr.KSpaceIterate, "start", staticmethod(lambda *args: iterates.append(start(*args)) or iterates[-1]))
        network._activation.slope = network.slope
        maps = sensitivity.operator_with(network.sensitivity, data).operator.maps
        if plain:
            with plain_forms():
                image = network(record)
        else:
            image = network(record)
        # The window around frame 1 holds frame f in place f.
        window = torch.stack([iterates[frame].kspace()[0, frame] for frame in range(3)])
    assert relative(maps[0].mT, stored["estimated_sensitivity_maps"]) < 2e-5
    assert relative(window.mT, stored["kspace_after_cascade"][-1]) < 2e-5
    assert relative(rss(ifft2c(window[1])).mT, stored["output"]) < 2e-5
    for cascade in range(2):
        centre = torch.from_numpy(stored["kspace_after_cascade"][cascade, 1]).mT
        expected = (ifft2c(centre) * maps[0, 1].conj()).sum(0)
        assert relative(stages[cascade, "image"][0, 1], expected) < 2e-5
    assert torch.equal(stages[1, "image"], image)


@pytest.mark.shared
def test_prompts_may_be_trained_on(shared):
    network, _, _ = from_golden(shared / "golden" / "promptmr", learnable=True)
    assert sum("prompts" in name for name, _ in network.named_parameters()) == 6
    assert all(name.startswith("sensitivity.") for name, _ in network.named_buffers())


def test_parameters():
    spec = MODELS.get("promptmr")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 30_496_134
    assert spec.parameters("small") < 500_000
    with torch.device("meta"):
        network = spec.build(spec.presets["paper"])
        cascade = spec.build(PromptMRConfig(cascades=6))
    stored = sum(value.numel() for value in network.state_dict().values())
    assert stored == 35_058_054  # with the fixed prompts
    assert sum(value.numel() for value in cascade.state_dict().values()) - stored == 6_638_610 - 1  # the slope is shared
    assert spec.parameters("original") == 71_160_317


@pytest.mark.slow
def test_multiplications_of_one_frame():
    spec = MODELS.get("promptmr")
    window = macs(spec, PromptMRConfig(maps="given"), (1, 1, 128, 128))
    coil = macs(spec, spec.presets["paper"], (1, 1, 128, 128)) - window
    # One output frame takes one window and the coil maps of its five frames of ten coils.
    assert window + 50 * coil == pytest.approx(155.4e9, rel=5e-3)


def problem(batch=2, frames=4, coils=3, ky=21, kx=18, per_frame=True):
    g = torch.Generator().manual_seed(3)
    maps = torch.randn(batch, 1, coils, ky, kx, dtype=torch.complex128, generator=g)
    maps = maps / maps.abs().square().sum(2, keepdim=True).sqrt()
    mask = torch.rand(batch, frames if per_frame else 1, 1, ky, 1, generator=g) < 0.5
    mask[..., ky // 2 - 3 : ky // 2 + 3, :] = True
    operator = SenseOperator(mask, maps)
    image = torch.randn(batch, frames, ky, kx, dtype=torch.complex128, generator=g)
    return ReconInput(operator.forward(image), operator, acs=6)


@pytest.mark.parametrize("maps", ["network", "given"])
def test_the_plain_form_computes_the_same(maps):
    torch.manual_seed(0)
    network = PromptMR(replace(TINY, maps=maps)).double()
    data = problem()
    images, grads = zip(*both_forms(network, data), strict=True)
    assert relative(images[0], images[1]) < 1e-11
    scale = max(float(grad.abs().max()) for grad in grads[1].values())
    for name, grad in grads[1].items():
        if name not in network.without_effect:
            assert float((grads[0][name] - grad).abs().max()) < 1e-10 * scale, name
    assert float(grads[1]["slope"].abs()) > 1e-6 * scale


def test_a_frame_sees_its_window_and_no_more():
    torch.manual_seed(0)
    network = PromptMR(replace(TINY, maps="given")).double().eval()
    data = problem(batch=1, frames=6)
    changed = data.kspace.clone()
    changed[:, 3] *= 1.5
    with torch.inference_mode():
        moved = (network(replace(data, kspace=changed)) - network(data)).abs().amax((0, 2, 3))
    assert (moved > 1e-9).tolist() == [False, False, True, True, True, False]


def test_frames_are_circular():
    torch.manual_seed(0)
    network = PromptMR(replace(TINY, maps="given")).double().eval()
    data = problem(batch=1, frames=5, per_frame=False)
    with torch.inference_mode():
        assert relative(network(replace(data, kspace=data.kspace.roll(2, 1))).roll(-2, 1), network(data)) < 1e-11


def test_slices_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    network = PromptMR(TINY).double().eval()
    data = problem()
    with torch.inference_mode():
        both = network(data)
        for b in range(2):
            operator = SenseOperator(data.operator.mask[b : b + 1], data.operator.maps[b : b + 1])
            assert relative(network(replace(data, kspace=data.kspace[b : b + 1], operator=operator))[0], both[b]) < 1e-11


def test_windows():
    assert offsets(5, 12) == [-2, -1, 0, 1, 2]
    assert offsets(5, 3) == [-1, -1, 0, 1, 1]
    assert offsets(3, 3) == [-1, 0, 1]


def test_prompts_follow_the_features_and_are_interpolated():
    torch.manual_seed(0)
    block = PromptMR(TINY).cascades[0].unet.decoder[0].prompt
    x = torch.randn(2, TINY.dims[0], 8, 10)
    with torch.inference_mode():
        weights = torch.softmax(block.linear(x.mean((2, 3))), 1)
        prompt = torch.einsum("np,pchw->nchw", weights, block.prompts)
        expected = block.conv(functional.interpolate(prompt, (8, 10), mode="bilinear", align_corners=False))
        assert relative(block(x), expected) < 1e-6
    assert not torch.equal(weights[0], weights[1])


def test_bfloat16_stays_close():
    torch.manual_seed(0)
    network = PromptMR(TINY).eval()
    data = problem()
    operator = SenseOperator(data.operator.mask, data.operator.maps.to(torch.complex64))
    data = replace(data, kspace=data.kspace.to(torch.complex64), operator=operator)
    with torch.inference_mode():
        image = network(data)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(data)
    assert half.dtype == torch.complex64
    assert 0 < relative(half, image) < 3e-2


@pytest.mark.parametrize(
    "wrong", [{"cascades": 0}, {"adjacent": 4}, {"features": 3}, {"dims": (8, 8)}, {"maps_dims": (3, 8, 8)}, {"bottleneck": 0}]
)
def test_sizes_are_checked(wrong):
    with pytest.raises(InputError, match="sizes of promptmr are out of range"):
        replace(TINY, **wrong)


def test_the_choice_of_maps_is_checked():
    with pytest.raises(InputError, match="coil maps of promptmr"):
        replace(TINY, maps="espirit")
