"""MC-VarNet against its authors' program, its sizes, data consistency, and both kinds of images."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.core.errors import InputError, ShapeError
from engine.evaluation.complexity import macs
from engine.models import MODELS, ReconInput
from engine.models.mc_varnet import STEPS, McVarNet, McVarNetConfig
from engine.models.parts.forms import plain_forms
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator
from tests.engine.tensors import relative

UNET_PARTS = {
    r"Encoding_block(\d)\.conv4": lambda m: f"downs.{int(m[1]) - 1}",
    r"Encoding_block(\d)\.conv(\d)": lambda m: f"encoders.{int(m[1]) - 1}.convs.{int(m[2]) - 1}",
    r"Encoding_block(\d)\.act": lambda m: f"encoders.{int(m[1]) - 1}.act",
    r"Decoding_block(\d)\.up": lambda m: f"ups.{int(m[1]) - 1}",
    r"Decoding_block(\d)\.conv(\d)": lambda m: f"decoders.{int(m[1]) - 1}.convs.{int(m[2]) - 1}",
    r"Decoding_block(\d)\.act": lambda m: f"decoders.{int(m[1]) - 1}.act",
    r"Decoding_block_End\.conv_out": lambda _: "output",
    r"Decoding_block_End\.conv(\d)": lambda m: f"end.convs.{int(m[1]) - 1}",
    r"Decoding_block_End\.act": lambda _: "end.act",
    r"acti": lambda _: "act",
}


def our_name(key):
    """Translate a key of the authors' program into ours."""
    owner, rest = key.split(".", 1)
    if owner.startswith("map_rec"):
        return f"readouts.{'xy'.index(owner[-1])}.{rest}"
    part, _, kind = rest.rpartition(".")
    for pattern, name in UNET_PARTS.items():
        if match := re.fullmatch(pattern, part):
            return f"{owner}.{name(match)}.{kind}"
    return key


def published(folder):
    """Return the network with the fixture's weights and step sizes."""
    settings = json.loads((folder / "config.json").read_text())
    state = {our_name(key): value for key, value in load_file(folder / "weights.safetensors").items()}
    steps = settings["step_sizes"] | {"lambda_1": settings["step_sizes"]["lamda_1"]}
    state |= {name: torch.tensor(steps[name]) for name in STEPS}
    network = McVarNet(McVarNetConfig(channels=8, complex_images=False))
    network.load_state_dict(state)
    return network.eval(), settings


def single_coil(kspace, mask, reference, **others):
    """Return the input for k-space (ky, kx), mask (ky or 1, kx) and reference (y, x)."""
    maps = torch.ones(1, 1, 1, *kspace.shape, dtype=kspace.dtype)
    operator = SenseOperator(mask.expand(kspace.shape)[None, None, None], maps)
    return ReconInput(kspace[None, None, None], operator, reference=reference[None, None], **others)


def golden(folder, **others):
    """Return the fixture's arrays and our input for them: the transform of its true image where it was measured."""
    stored = {key: torch.from_numpy(value) for key, value in np.load(folder / "io.npz").items()}
    mask = stored["mask"][None] > 0
    kspace = fft2c(stored["target_truth"].to(torch.complex64)) * mask
    return stored, single_coil(kspace, mask, stored["reference_contrast_image"].to(torch.complex64), **others)


def random_input(frames=2, coils=3, ky=20, kx=17, dtype=torch.complex128, per_frame=False, seed=0, **others):
    g = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(*shape, 2, generator=g, dtype=torch.float64)

    maps = torch.view_as_complex(noise(1, 1, coils, ky, kx))
    maps = (maps / maps.abs().square().sum(2, keepdim=True).sqrt()).to(dtype)
    mask = torch.rand(1, frames if per_frame else 1, 1, ky, 1, generator=g) < 0.4
    mask[..., ky // 2 - 2 : ky // 2 + 2, :] = True
    operator = SenseOperator(mask, maps)
    truth = torch.view_as_complex(noise(1, frames, ky, kx)).to(dtype)
    reference = torch.view_as_complex(noise(1, frames, ky, kx)).to(dtype)
    return ReconInput(operator.forward(truth), operator, reference=reference, **others)


@pytest.mark.shared
@pytest.mark.parametrize("plain", [False, True])
def test_golden_images_and_features_after_data_consistency(shared, plain):
    folder = shared / "golden" / "mc-varnet"
    network, settings = published(folder)
    seen = {}
    stored, data = golden(folder, stages=lambda _, part, value: seen.setdefault(part, []).append(value))
    with torch.inference_mode():
        if plain:
            with plain_forms():
                image = network(data)
        else:
            image = network(data)
    assert relative(image[0, 0].real, stored["output"]) < 2e-5
    assert not image.imag.any()
    found = torch.stack([value[0, 0] for value in seen["data_consistent"]])
    for ours, theirs in zip(found, stored["data_consistent_features_each_iteration"], strict=True):
        assert relative(ours, theirs) < 2e-5
    assert sum(value.numel() for value in network.parameters()) == settings["n_params"]


@pytest.mark.shared
def test_the_way_back_of_measured_samples_is_that_of_the_program(shared):
    """The mask has no mirror symmetry: half a spectrum gives another image than the whole one."""
    stored, data = golden(shared / "golden" / "mc-varnet")
    network, _ = published(shared / "golden" / "mc-varnet")
    start = network._lifted(data).start[0, 0]
    assert relative(start, stored["target_undersampled_image"]) < 1e-6
    whole = data.operator.adjoint(data.kspace)[0, 0].real
    assert relative(whole, stored["target_undersampled_image"]) > 1e-2


@pytest.mark.shared
def test_tensors_without_effect_are_those_of_the_program(shared):
    network, settings = published(shared / "golden" / "mc-varnet")
    assert set(network.without_effect) == {our_name(key) for key in settings["params_without_effect"]}


def test_sizes_are_those_of_the_program():
    spec = MODELS.get("mc_varnet")
    assert spec.parameters("paper") == spec.parameters("paper-real") == 1_387_493
    # The published program with real-valued images; complex ones read out two channels instead of one.
    assert macs(spec, spec.presets["paper-real"]) == pytest.approx(132.9e9, rel=1e-3)
    learned = sum(p.numel() for p in McVarNet(McVarNetConfig(learn_steps=True)).parameters())
    assert learned == 1_387_493 + 24


def test_step_sizes_belong_to_the_state_and_learn_only_when_asked():
    fixed, learned = (McVarNet(McVarNetConfig(iterations=4, channels=4, learn_steps=learn)) for learn in (False, True))
    assert set(STEPS) <= set(fixed.state_dict())
    assert fixed.state_dict().keys() == learned.state_dict().keys()
    data = random_input(dtype=torch.complex64)
    learned(data).abs().sum().backward()
    fixed(data).abs().sum().backward()
    assert all(getattr(learned, name).grad.abs().sum() > 0 for name in STEPS)
    assert all(not getattr(fixed, name).requires_grad for name in STEPS)


@pytest.mark.parametrize("per_frame", [False, True])
def test_fast_and_plain_forms_agree(per_frame):
    torch.manual_seed(0)
    network = McVarNet(McVarNetConfig(iterations=4, channels=6)).double()
    data = random_input(frames=3, per_frame=per_frame)
    with torch.no_grad():
        fast = network(data)
        with plain_forms():
            plain = network(data)
    assert relative(torch.view_as_real(fast), torch.view_as_real(plain)) < 1e-10


def test_real_images_of_odd_size_keep_what_the_features_are():
    """With everything measured, or nothing, the half-spectrum way is the identity for every size."""
    torch.manual_seed(1)
    network = McVarNet(McVarNetConfig(iterations=1, channels=2, complex_images=False)).double()
    for size in ((9, 7), (8, 10), (9, 10), (10, 7)):
        truth = torch.randn(size, dtype=torch.float64)
        kspace = fft2c(truth.to(torch.complex128))
        data = single_coil(kspace, torch.ones(1, size[1], dtype=torch.bool), truth.to(torch.complex128))
        lifted = network._lifted(data)
        features = torch.randn(1, 2, *size, dtype=torch.float64)
        assert torch.allclose(lifted.consistent(features), truth.expand(1, 2, *size), atol=1e-12)
        lifted.unmeasured, lifted.spectrum = torch.ones_like(lifted.unmeasured), torch.zeros_like(lifted.spectrum)
        assert torch.allclose(lifted.consistent(features), features, atol=1e-12)


def test_what_does_not_fit_is_refused():
    real = McVarNet(McVarNetConfig(iterations=1, channels=2, complex_images=False))
    with pytest.raises(InputError, match=r"real-valued images serves 1 coil \(found 3\)"):
        real(random_input(dtype=torch.complex64))
    network = McVarNet(McVarNetConfig(iterations=1, channels=2))
    data = random_input(dtype=torch.complex64)
    with pytest.raises(InputError, match="needs a reference sequence"):
        network(dataclasses.replace(data, reference=None))
    with pytest.raises(ShapeError, match=r"reference sequence does not fit .*\(1, 2, 20, 17\).*found \(1, 2, 20, 16\)"):
        network(dataclasses.replace(data, reference=data.reference[..., :-1]))
    weights = SenseOperator(0.5 * data.operator.mask, data.operator.maps)
    with pytest.raises(InputError, match="needs a mask of zeros and ones"):
        network(dataclasses.replace(data, operator=weights))
    with pytest.raises(InputError, match=r"cannot have 4 iterations of 3 channels .* an even number"):
        McVarNetConfig(channels=3)
    with pytest.raises(InputError, match="cannot have 0 iterations"):
        McVarNetConfig(iterations=0)
