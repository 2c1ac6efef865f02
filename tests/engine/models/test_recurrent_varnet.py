"""Recurrent VarNet: sizes, golden vectors through the importer, forms, stages."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.core.errors import Cancelled, InputError
from engine.models import MODELS, ReconInput
from engine.models.parts import checkpointing, frames
from engine.models.parts.forms import plain_forms
from engine.models.recurrent_varnet import RecurrentVarNet, RecurrentVarNetConfig
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator
from engine.weights.published.direct import read
from tests.engine.models.varnet_problem import CancelAt, Stages, convolution_macs, moved, problem
from tests.engine.tensors import relative

TINY = RecurrentVarNetConfig(steps=3, hidden=6, layers=3, initialiser=(4, 4, 5, 5), multiscale=2)


def test_the_paper_counts_6869272_parameters():
    spec = MODELS.get("recurrent_varnet")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 6_869_272
    assert spec.parameters("cmrxrecon") == 8_611_102
    assert spec.parameters("small") < 100_000


@pytest.mark.parametrize(
    ("sizes", "parameters"),
    [
        ({"steps": 15, "hidden": 64}, 3_296_045),
        ({"hidden": 96, "layers": 3, "multiscale": 3}, 2_827_320),
        ({"steps": 1}, 944_899),
    ],
)
def test_published_variants_have_their_parameters(sizes, parameters):
    with torch.device("meta"):
        network = RecurrentVarNet(RecurrentVarNetConfig(**sizes))
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_the_coil_map_network_adds_its_own_parameters():
    with torch.device("meta"):
        network = RecurrentVarNet(RecurrentVarNetConfig(maps="network"))
    assert sum(p.numel() for p in network.parameters()) == 6_869_272 + 484_898


def test_a_pixel_costs_what_the_paper_counts():
    network = RecurrentVarNet(RecurrentVarNetConfig()).eval()
    kspace, operator = problem(1, 1, 2, 6, 4, dtype=torch.complex64)
    with torch.inference_mode(), plain_forms():
        macs = convolution_macs(network, lambda: network(ReconInput(kspace, operator)))
    # Plain gates are no layers of their own: two of three 1 x 1 convolutions of a cell run on halves of one.
    gates = 8 * 4 * 2 * (256 * 128 + 128)
    per_pixel = macs / (6 * 4) + gates
    assert per_pixel == 6_869_264
    assert per_pixel * 144 * 512 == pytest.approx(506.46e9, rel=1e-5)


def transcription(network, kspace, mask, maps):
    """The published iteration on the k-space of all coils, one frame after another."""
    images = []
    for frame in range(kspace.shape[1]):
        y, s = kspace[:, [frame]], maps
        m = mask[:, [min(frame, mask.shape[1] - 1)]]
        k = y
        x = combine(ifft2c(k), s)

        def pack(image):
            return torch.stack((image[:, 0].real, image[:, 0].imag), 1)

        state = network.iterations.initialiser(pack(fft2c(x)))
        for step in network.iterations.steps:
            r, state = step.rnn(pack(combine(ifft2c(k), s)), state)
            k = k - step.alpha * (m * (k - y)) + fft2c(expand(torch.complex(r[:, 0], r[:, 1]).unsqueeze(1), s))
        images.append(combine(ifft2c(k), s))
    return torch.cat(images, 1)


@pytest.mark.parametrize("kind", ["lines", "lines per frame", "plane per frame"])
def test_it_is_the_published_iteration_frame_by_frame(kind):
    network = moved(RecurrentVarNet(TINY))
    kspace, operator = problem(kind=kind)
    with torch.no_grad():
        found = network(ReconInput(kspace, operator))
        expected = transcription(network, kspace, operator.mask, operator.maps)
        with plain_forms():
            plain = network(ReconInput(kspace, operator))
    assert relative(found, expected) < 1e-11
    assert relative(plain, expected) < 1e-11


def test_in_single_precision_the_fast_form_is_the_plain_one_to_1e_5():
    network = moved(RecurrentVarNet(MODELS.get("recurrent_varnet").presets["small"]), 0.02).float()
    kspace, operator = problem(1, 3, 4, 32, 24, dtype=torch.complex64)
    with torch.inference_mode():
        found = network(ReconInput(kspace, operator))
        with plain_forms():
            expected = network(ReconInput(kspace, operator))
    assert relative(found, expected) < 1e-5


def test_frames_in_parts_give_the_same_image_and_stages(monkeypatch):
    network = moved(RecurrentVarNet(TINY))
    kspace, operator = problem(kind="lines per frame")
    results = []
    for pixels in (1 << 20, 1):
        monkeypatch.setattr(frames, "PIXELS_AT_ONCE", {"cpu": pixels})
        stages = Stages()
        with torch.no_grad():
            results.append((network(ReconInput(kspace, operator, stages=stages)), stages))
    (whole, stages), (parts, others) = results
    assert relative(parts, whole) < 1e-12
    assert stages.keys() == others.keys()
    assert all(relative(others[key], value) < 1e-12 for key, value in stages.items())


def test_stages_are_images_step_sizes_and_the_energy_of_hidden_states():
    network = moved(RecurrentVarNet(TINY))
    kspace, operator = problem()
    stages = Stages()
    with torch.no_grad():
        image = network(ReconInput(kspace, operator, stages=stages))
    assert set(stages) == {(i, part) for i in range(3) for part in ("image", "step_size", "hidden_energy")}
    assert torch.equal(stages[2, "image"], image)
    assert stages[1, "step_size"] == network.iterations.steps[1].alpha
    assert stages[1, "hidden_energy"].shape == (2, 3, 3)
    assert (stages[1, "hidden_energy"] > 0).all()


def test_with_no_residual_only_the_data_term_is_left():
    network = moved(RecurrentVarNet(TINY))
    with torch.no_grad():
        for step in network.iterations.steps:
            step.rnn.convs[-1].weight.zero_()
            step.rnn.convs[-1].bias.zero_()
        kspace, operator = problem()
        image = network(ReconInput(kspace, operator))
    assert relative(image, operator.adjoint(kspace)) < 1e-14


def test_recomputing_a_step_while_training_changes_nothing(monkeypatch):
    network = moved(RecurrentVarNet(TINY))
    kspace, operator = problem()
    gradients = []
    for worth in (float("inf"), 0.0):
        monkeypatch.setattr(checkpointing, "WORTH_BYTES", worth)
        network.zero_grad()
        network(ReconInput(kspace, operator)).abs().square().sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
    assert all(relative(b, a) < 1e-12 for a, b in zip(*gradients, strict=True) if a.abs().max() > 0)


def test_maps_of_the_network_learn_with_it():
    config = RecurrentVarNetConfig(
        steps=2, hidden=4, layers=2, initialiser=(4, 4), dilations=(1, 2), maps="network", maps_filters=2
    )
    network = moved(RecurrentVarNet(config))
    kspace, operator = problem(height=32, width=32)
    network(ReconInput(kspace, operator, acs=4)).abs().square().sum().backward()
    for name, parameter in network.named_parameters():
        if name not in network.without_effect:
            assert parameter.grad.abs().max() > 0, name
    with torch.no_grad():
        given = SenseOperator(operator.mask, 3 * operator.maps)  # maps that are given do not matter
        assert relative(network(ReconInput(kspace, given, acs=4)), network(ReconInput(kspace, operator, acs=4))) < 1e-14


def test_cancel_is_answered_inside_a_step():
    kspace, operator = problem()
    stages = Stages()
    with pytest.raises(Cancelled), torch.no_grad():
        moved(RecurrentVarNet(TINY))(ReconInput(kspace, operator, report=CancelAt(12), stages=stages))
    assert not stages


@pytest.mark.parametrize("field", ["steps", "hidden", "layers"])
def test_sizes_below_one_are_refused(field):
    with pytest.raises(InputError, match=f"{field} of recurrent_varnet is out of range") as caught:
        RecurrentVarNetConfig(**{field: 0})
    assert caught.value.hint


@pytest.mark.parametrize("wrong", [{"multiscale": 0}, {"multiscale": 5}, {"initialiser": (4, 4)}, {"dilations": (1, 1, 0, 1)}])
def test_an_initialiser_that_does_not_fit_together_is_refused(wrong):
    with pytest.raises(InputError, match="the initialiser of recurrent_varnet does not fit together") as caught:
        RecurrentVarNetConfig(**wrong)
    assert caught.value.hint


@pytest.mark.parametrize("wrong", [{"maps": "espirit"}, {"maps": "network", "maps_filters": 0}])
def test_other_coil_maps_are_refused(wrong):
    with pytest.raises(InputError, match="the coil maps of recurrent_varnet are out of range") as caught:
        RecurrentVarNetConfig(**wrong)
    assert caught.value.hint


def golden(folder):
    """Return (network, input with DIRECT's axes turned to ours, arrays) of a fixture, through the importer."""
    published = read(folder / "weights.safetensors")
    assert published.network == "recurrent_varnet"
    network = RecurrentVarNet(RecurrentVarNetConfig(**published.config)).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in published.tensors.items()})
    arrays = {name: torch.from_numpy(value) for name, value in np.load(folder / "io.npz").items()}
    kspace, maps = (arrays[name].mT[None, None].contiguous() for name in ("kspace_masked", "sensitivity_maps"))
    return network, ReconInput(kspace, SenseOperator(arrays["mask"].bool()[:, None][None, None, None], maps)), arrays


@pytest.mark.shared
@pytest.mark.parametrize("scales", [1, 3])
@pytest.mark.parametrize("plain", [False, True])
def test_golden_vectors_of_direct_come_out(shared, scales, plain):
    network, data, arrays = golden(shared / "golden" / f"direct-recurrentvarnet-ms{scales}")
    assert len(network.iterations.steps) == 3
    assert network.iterations.initialiser.multiscale == scales
    stages = Stages()
    data = ReconInput(data.kspace, data.operator, stages=stages)
    with torch.inference_mode():
        if plain:
            with plain_forms():
                network(data)
        else:
            network(data)
    for cascade, expected in enumerate(arrays["sense_image_after_cascade"]):
        assert relative(stages[cascade, "image"][0, 0], expected.mT) < 2e-6
    energy = arrays["hidden_state_after_last_cascade"].square().mean((0, 1, 2))
    assert relative(stages[2, "hidden_energy"][0, 0], energy) < 1e-6


@pytest.mark.shared
def test_golden_hidden_states_of_the_initialiser_come_out(shared):
    network, _, arrays = golden(shared / "golden" / "direct-recurrentvarnet-ms3")
    with torch.inference_mode():
        states = network.iterations.initialiser(arrays["rsi_input"].mT[None].contiguous())
    expected = arrays["rsi_hidden_state"].permute(3, 0, 2, 1)  # (layer, hidden, ky, kx)
    assert relative(torch.cat(states), expected) < 1e-6
