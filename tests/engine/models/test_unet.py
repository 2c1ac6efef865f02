"""The single-pass U-Net: size, what it is, properties."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import InputError
from engine.models import MODELS, ReconInput
from engine.models.unet import PlainUNet, UNetConfig
from engine.physics.operator import SenseOperator
from tests.engine.models.varnet_problem import Stages, moved, problem
from tests.engine.tensors import relative


def tiny():
    torch.manual_seed(0)
    return moved(PlainUNet(UNetConfig(filters=3, pools=2)))


def test_it_has_the_parameters_of_fastmris_baseline_for_two_channels():
    spec = MODELS.get("unet")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 7_756_418
    assert spec.parameters("small") < 200_000


def test_it_is_one_pass_over_the_standardised_zero_filled_image():
    kspace, operator = problem()
    network = tiny()
    with torch.no_grad():
        found = network(ReconInput(kspace, operator))
        x = operator.adjoint(kspace)
        for b in range(2):
            for t in range(3):
                frame = torch.stack((x[b, t].real, x[b, t].imag))[None]
                mean, deviation = frame.mean((2, 3), keepdim=True), frame.std((2, 3), keepdim=True)
                padded = torch.nn.functional.pad((frame - mean) / deviation, (2, 3, 1, 1))  # 14 x 11 to 16 x 16
                out = network.unet.unet(padded)[..., 1:15, 2:13] * deviation + mean
                assert relative(found[b, t], torch.complex(out[0, 0], out[0, 1])) < 1e-10


def test_the_image_follows_the_scale_and_frames_do_not_see_each_other():
    kspace, operator = problem(kind="lines per frame")
    network = tiny()
    with torch.no_grad():
        together = network(ReconInput(kspace, operator))
        assert relative(network(ReconInput(5.0 * kspace, operator)) / 5.0, together) < 1e-10
        alone = network(ReconInput(kspace[:, 2:], SenseOperator(operator.mask[:, 2:], operator.maps)))
        assert relative(alone, together[:, 2:]) < 1e-11


def test_its_only_stage_is_the_image():
    kspace, operator = problem()
    stages = Stages()
    with torch.no_grad():
        image = tiny()(ReconInput(kspace, operator, stages=stages))
    assert set(stages) == {(0, "image")}
    assert torch.equal(stages[0, "image"], image)


@pytest.mark.parametrize("settings", [{"filters": 0}, {"pools": -1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match=rf"{next(iter(settings))} of unet is out of range") as caught:
        UNetConfig(**settings)
    assert caught.value.hint
