"""CRUNet-MR against its authors' program, its plain form, and what the paper says of its size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.core.errors import InputError
from engine.evaluation.complexity import macs
from engine.models import MODELS, ReconInput
from engine.models.crunet_mr import CRUNetConfig, CRUNetMR, standardise
from engine.models.parts import checkpointing
from engine.models.parts.forms import plain_forms
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator
from engine.weights.published.crunet_mr import read
from tests.engine.tensors import relative

SMALL = CRUNetConfig(cascades=2, channels=6)


def from_golden(folder):
    """Return (network, input, stored arrays) of the fixture, turned into our conventions through the importer."""
    found = read(folder / "weights.safetensors")
    network = CRUNetMR(CRUNetConfig(**found.config)).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.tensors.items()})
    stored = np.load(folder / "io.npz")
    # Theirs: Fourier transforms without any shift, phase encoding along the last axis.
    coil_images = torch.fft.ifft2(torch.from_numpy(stored["kspace_masked"]), norm="ortho").mT
    kspace = fft2c(coil_images)[None]
    mask = torch.fft.fftshift(torch.from_numpy(stored["mask"]) > 0)[None, None, None, :, None]
    maps = torch.from_numpy(stored["sensitivity_maps"]).mT[None, None].contiguous()
    return network, ReconInput(kspace, SenseOperator(mask, maps)), stored


@pytest.mark.shared
@pytest.mark.parametrize("plain", [False, True])
def test_golden_images_and_memories(shared, plain):
    network, data, stored = from_golden(shared / "golden" / "crunet-mr")
    stages, memories = {}, []
    hook = network.cascades[0].register_forward_hook(lambda *call: memories.append(call[2][1]))
    record = ReconInput(data.kspace, data.operator, stages=lambda i, part, value: stages.__setitem__((i, part), value))
    with torch.inference_mode():
        if plain:
            with plain_forms():
                image = network(record)
        else:
            image = network(record)
    hook.remove()
    for cascade in range(3):
        assert relative(stages[cascade, "image"][0].mT, stored["image_after_cascade"][cascade]) < 2e-5
    assert relative(image[0].mT, stored["output"]) < 2e-5
    for level in ("level1", "level2", "bottleneck"):
        memory = torch.cat(getattr(memories[0], level)).mT
        assert relative(memory, stored[f"memory_{level}_after_cascade1"]) < 2e-5
        rms = stages[0, f"hidden_{level}"][0]
        assert rms.shape == image.shape[1:]
        assert float(rms.max()) <= float(memory.square().mean(1).sqrt().max()) * (1 + 1e-6)
        assert float(rms.max()) > 0


def test_parameters_and_multiplications():
    spec = MODELS.get("crunet_mr")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 4_537_930
    assert spec.parameters("small") < 250_000
    assert macs(spec, spec.presets["paper"]) == pytest.approx(494.5e9, rel=1e-3)


def problem(batch=2, frames=4, coils=3, ky=21, kx=18, seed=0, dtype=torch.complex64):
    g = torch.Generator().manual_seed(seed)
    maps = torch.randn(batch, 1, coils, ky, kx, dtype=dtype, generator=g)
    maps = maps / maps.abs().square().sum(2, keepdim=True).sqrt()
    mask = torch.rand(batch, 1, 1, ky, 1, generator=g) < 0.5
    mask[..., ky // 2 - 2 : ky // 2 + 2, :] = True
    operator = SenseOperator(mask, maps)
    image = torch.randn(batch, frames, ky, kx, dtype=dtype, generator=g)
    return ReconInput(operator.forward(image), operator)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_the_plain_form_computes_the_same(frames):
    torch.manual_seed(0)
    network = CRUNetMR(SMALL).double()
    data = problem(frames=frames, dtype=torch.complex128)
    grads = []
    images = []
    for form in (None, plain_forms()):
        network.zero_grad()
        if form is None:
            image = network(data)
        else:
            with form:
                image = network(data)
        image.abs().square().sum().backward()
        images.append(image.detach())
        grads.append({k: p.grad.clone() for k, p in network.named_parameters() if p.grad is not None})
    assert relative(images[0], images[1]) < 1e-11
    scale = max(float(g.abs().max()) for g in grads[1].values())
    for name, grad in grads[1].items():
        mine = grads[0].get(name, torch.zeros_like(grad))
        assert float((mine - grad).abs().max()) < 1e-11 * scale, name
    never = {name for name, grad in grads[1].items() if float(grad.abs().max()) == 0}
    expected = set(network.without_effect)
    if frames == 1:
        expected |= {name for name in grads[1] if name.endswith("recurrent.time.weight")}
    assert never == expected


def test_recomputed_activations_give_the_same_gradients(monkeypatch):
    torch.manual_seed(0)
    network = CRUNetMR(SMALL).double()
    data = problem(dtype=torch.complex128)
    grads = []
    for worth in (checkpointing.WORTH_BYTES, 0):
        monkeypatch.setattr(checkpointing, "WORTH_BYTES", worth)
        network.zero_grad()
        network(data).abs().square().sum().backward()
        grads.append([None if p.grad is None else p.grad.clone() for p in network.parameters()])
    for kept, again in zip(*grads, strict=True):
        assert kept is again is None or relative(again, kept) < 1e-12


def test_slices_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    network = CRUNetMR(SMALL).eval()
    data = problem()
    with torch.inference_mode():
        both = network(data)
        for b in range(2):
            operator = SenseOperator(data.operator.mask[b : b + 1], data.operator.maps[b : b + 1])
            one = network(ReconInput(data.kspace[b : b + 1], operator))
            assert relative(one[0], both[b]) < 1e-5


def test_frames_form_a_circle_for_convolutions_but_not_for_recurrence():
    torch.manual_seed(0)
    network = CRUNetMR(SMALL).eval()
    data = problem(batch=1, frames=5)
    rolled = ReconInput(data.kspace.roll(2, 1), data.operator)
    with torch.inference_mode():
        plain, shifted = network(data), network(rolled).roll(-2, 1)
        for block in network.cascades:
            for module in block.modules():
                if hasattr(module, "time"):
                    module.time.weight.zero_()
        circle, shifted_circle = network(data), network(rolled).roll(-2, 1)
    assert relative(shifted_circle, circle) < 1e-5
    assert relative(shifted, plain) > 1e-3


def test_every_cascade_ends_with_the_measured_samples():
    torch.manual_seed(0)
    network = CRUNetMR(SMALL).eval()
    data = problem(coils=1)
    with torch.inference_mode():
        image = network(data)
    assert relative(data.operator.forward(image), data.kspace) < 1e-5


def test_the_scale_and_offset_of_the_data_pass_through():
    torch.manual_seed(0)
    network = CRUNetMR(SMALL).eval()
    data = problem()
    with torch.inference_mode():
        image = network(data)
        again = network(ReconInput(1e3 * data.kspace, data.operator))
    assert relative(again / 1e3, image) < 1e-5


def test_standardise_has_one_mean_and_deviation_for_each_slice(rng):
    image = torch.from_numpy(rng.normal(3, 2, (2, 3, 4, 5)) + 1j * rng.normal(-1, 0.5, (2, 3, 4, 5)))
    normalised, mean, deviation = standardise(image)
    parts = torch.view_as_real(normalised).flatten(1)
    assert torch.allclose(parts.mean(1), torch.zeros(2, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(parts.var(1), torch.ones(2, dtype=torch.float64))
    assert torch.allclose(normalised * deviation + mean, image)
    assert torch.isfinite(torch.view_as_real(standardise(torch.zeros(1, 1, 2, 2, dtype=torch.complex64))[0])).all()


def test_bfloat16_stays_close_and_physics_in_single():
    torch.manual_seed(0)
    network = CRUNetMR(CRUNetConfig(cascades=2, channels=16)).eval()
    data = problem()
    with torch.inference_mode():
        image = network(data)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(data)
    assert half.dtype == torch.complex64
    assert 0 < relative(half, image) < 2e-2


@pytest.mark.parametrize("setting", ["cascades", "channels"])
def test_sizes_are_checked(setting):
    with pytest.raises(InputError, match=f"{setting} of crunet_mr is out of range"):
        CRUNetConfig(**{setting: 0})
