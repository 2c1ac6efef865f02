"""T2LR-Net against a transcription of its iteration, against JotlasNet without its sparse half, and its released weights."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import InputError
from engine.models import MODELS, ReconInput
from engine.models.parts.forms import plain_forms
from engine.models.t2lr_net import T2lrNetConfig
from engine.physics.operator import SenseOperator
from tests.engine.models.unrolled import Textbook, cell_of, perturbed, problem, released_image, released_psnr, with_stages
from tests.engine.tensors import relative


def transcription(state, cells, kspace, mask, maps):
    book = Textbook(mask, maps)
    x = book.adjoint(kspace)
    for n in range(cells):
        p, kernels = cell_of(state, n)
        stepped = x - torch.relu(p["step_size"]) * book.adjoint(book.forward(x) - kspace)
        features = book.join(book.stack(book.split(stepped), kernels("low_rank.transform")))
        lowered = book.lower(features, torch.sigmoid(p["low_rank.threshold"]))
        x = stepped + book.join(book.stack(book.split(lowered), kernels("low_rank.inverse_transform")))
    return x


def test_it_has_259230_parameters():
    spec = MODELS.get("t2lr_net")
    assert spec.parameters("paper") == 259_230
    assert spec.parameters("small") < 50_000


@pytest.mark.parametrize("case", [{}, {"batch": 1, "frames": 1, "coils": 1}, {"static": True, "readout": True}, {"kx": 1}])
def test_it_equals_a_transcription(case):
    kspace, mask, maps = problem(**case)
    network = perturbed("t2lr_net", cells=3, channels=5)
    data, stages = with_stages(ReconInput(kspace, SenseOperator(mask, maps)))
    with torch.no_grad():
        expected = transcription(network.state_dict(), 3, kspace, mask, maps)
        assert relative(network(data), expected) < 1e-11
        assert {part for _, part in stages} == {"image", "low_rank", "threshold"}
        with plain_forms():
            assert relative(network(data), expected) < 1e-11


@pytest.mark.parametrize("name", ["cells", "channels"])
def test_sizes_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"{name} of t2lr_net is out of range"):
        T2lrNetConfig(**{name: 0})


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("plain", [False, True])
def test_released_weights_give_the_recorded_output(shared, plain):
    image, expected = released_image(shared, "t2lr-net-vista-8", plain)
    assert relative(image, expected) < 2e-5


@pytest.mark.slow
@pytest.mark.shared
def test_released_weights_lift_the_porcine_cine(shared):
    # The fixture: 15.35 -> 37.03 dB with a mask and coils of its own; 14.9 -> 35.3 with ours.
    assert released_psnr(shared, "t2lr-net-vista-8") > 35.0
