"""Networks that begin with compressed sensing's image: before training they give that image, and the rest is as ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.core.errors import Cancelled, InputError
from engine.core.jobs import CancelToken, Reporter
from engine.evaluation.complexity import macs
from engine.models import MODELS, ReconInput, jotlasnet
from engine.models.l1_wavelet import L1Wavelet, L1WaveletConfig
from engine.models.parts import frames, start
from engine.models.parts.consistency import DataTerm
from engine.physics.operator import SenseOperator
from tests.engine.models.varnet_problem import Stages
from tests.engine.tensors import relative

NETWORKS = ("crunet_mr", "egla_varnet", "gla_varnet", "ima", "jotlasnet", "recurrent_varnet", "rvn", "vn_unet", "vn_unet_relax")
SIZES = {
    "crunet_mr": {"channels": 4, "cascades": 2},
    "egla_varnet": {"steps": 2, "channels": 6, "bases": 2, "rank": 2},
    "gla_varnet": {"steps": 2, "channels": 6},
    "ima": {"stages": 2, "channels": 4, "heads": 2},
    "jotlasnet": {"cells": 2, "channels": 4},
    "recurrent_varnet": {"steps": 2, "hidden": 4, "layers": 2, "initialiser": (4, 4, 4, 4)},
    "rvn": {"steps": 2, "hidden": 4, "layers": 2, "initialiser": (4, 4, 4, 4), "frames": 3},
    "vn_unet": {"cascades": 2, "filters": 4, "pools": 2, "frames": 3},
    "vn_unet_relax": {"cascades": 2, "filters": 4, "pools": 2, "frames": 3},
}


def tiny(name, **settings):
    torch.manual_seed(0)
    spec = MODELS.get(name)
    return spec.build(replace(next(iter(spec.presets.values())), **SIZES[name], **settings)).eval()


def smooth_problem(height=32, width=24):
    """Return data of three frames of a disc that beats, whose k-space was sampled in every third line."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    radius = torch.tensor([0.5, 0.6, 0.7])[:, None, None]
    image = torch.sigmoid(20 * (radius - (x**2 + y**2).sqrt())).to(torch.complex64)[None]
    maps = torch.stack([torch.exp(1j * a * x) * torch.sigmoid(b * y + c * x) for a, b, c in ((1, 3, 1), (2, -3, 1), (0, 1, -3))])
    maps = (maps / maps.abs().square().sum(0).sqrt())[None, None].to(torch.complex64)
    mask = torch.zeros((1, 1, 1, height, 1), dtype=torch.bool)
    mask[..., ::3, :] = True
    mask[..., height // 2 - 4 : height // 2 + 4, :] = True
    operator = SenseOperator(mask, maps)
    reference = image.mean(1, keepdim=True)
    return ReconInput(operator.forward(image), operator, reference=reference), image


def compressed_sensing(data):
    return L1Wavelet(L1WaveletConfig(shifts=start.SHIFTS))(
        ReconInput(data.kspace, SenseOperator(data.operator.mask, data.operator.maps))
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_before_training_a_network_gives_about_the_image_it_begins_with(name):
    data, image = smooth_problem()
    first = compressed_sensing(data)

    def error(found):
        return ((found - image).norm() / image.norm()).item()

    found = tiny(name, start="wavelet")(data)
    assert error(first) < 0.5 * error(data.operator.adjoint(data.kspace))
    assert error(found) < 1.35 * error(first) + 0.01
    zero_filled = tiny(name)(data)
    assert relative(found, zero_filled) > 0.02, "the image to begin with makes a difference"


@pytest.mark.parametrize("name", ["recurrent_varnet", "egla_varnet", "ima"])
@torch.no_grad()
def test_frames_by_themselves_begin_with_their_own_images(name, monkeypatch):
    data, _ = smooth_problem()
    network = tiny(name, start="wavelet")
    whole = network(data)
    monkeypatch.setitem(frames.PIXELS_AT_ONCE, "cpu", 32 * 24)
    assert relative(network(data), whole) < 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_all_parameters_learn_that_learn_from_the_zero_filled_image(name):
    data, image = smooth_problem()
    idle = []
    for begin in start.STARTS:
        network = tiny(name, start=begin).train()
        (network(data) - image).abs().square().mean().backward()
        gradients = {key: p.grad for key, p in network.named_parameters()}
        assert all(gradient is None or gradient.isfinite().all() for gradient in gradients.values())
        idle.append({key for key, gradient in gradients.items() if gradient is None or not gradient.abs().max() > 0})
    assert idle[0] == idle[1]


def test_the_zero_filled_image_is_no_other_network():
    data, _ = smooth_problem()
    assert start.with_first_image("zero_filled", data) is data
    torch.testing.assert_close(DataTerm(data).first, data.operator.adjoint(data.kspace))
    begun = start.with_first_image("wavelet", data)
    assert relative(begun.first, compressed_sensing(data)) < 1e-5
    assert DataTerm(begun).first is begun.first


def test_stages_and_progress_are_those_of_the_network_alone():
    data, _ = smooth_problem()
    shares, stages = [], Stages()
    report = Reporter(lambda progress: shares.append(progress.fraction))
    with torch.no_grad():
        image = tiny("jotlasnet", start="wavelet")(replace(data, report=report, stages=stages))
    assert {index for index, _ in stages} == {0, 1}
    assert torch.equal(stages[1, "image"], image)
    assert shares == sorted(shares)


def test_it_can_be_cancelled_in_compressed_sensing(monkeypatch):
    data, _ = smooth_problem()
    monkeypatch.setattr(jotlasnet, "DataTerm", None)  # what would come next

    class Late(CancelToken):
        asked = 0

        @property
        def cancelled(self):
            self.asked += 1
            return self.asked > 30

    with pytest.raises(Cancelled):
        tiny("jotlasnet", start="wavelet")(replace(data, report=Reporter(None, Late())))


@pytest.mark.parametrize("name", NETWORKS)
def test_another_image_is_refused(name):
    with pytest.raises(InputError, match=r"start of \w+ is 'noise'") as caught:
        tiny(name, start="noise")
    assert caught.value.hint == "Use start=zero_filled."


@pytest.mark.slow
@pytest.mark.parametrize("name", ["crunet_mr", "egla_varnet", "ima", "jotlasnet", "recurrent_varnet", "vn_unet"])
def test_the_count_of_multiplications_leaves_compressed_sensing_out(name):
    spec = MODELS.get(name)
    sizes = (spec.frames_of(spec.presets["light"]) or 3, 2, 32, 24)
    assert macs(spec, spec.presets["light-wavelet"], sizes) == macs(spec, spec.presets["light"], sizes) > 0


def test_myonet_begins_with_wavelets_or_least_squares():
    with pytest.raises(InputError, match="expected wavelet or least_squares"):
        replace(MODELS.get("myonet").presets["small"], start="zero_filled")
