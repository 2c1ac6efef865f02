"""VN-UNet: sizes, golden vectors through the importer, the iteration as written, properties; and its guided twin."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import Cancelled, InputError, ShapeError
from engine.models import MODELS, ReconInput
from engine.models.parts.forms import plain_forms
from engine.models.vn_unet import VNUNet, VNUNetConfig
from engine.physics.coils import combine, expand, rss
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator
from tests.engine.models.unet_golden import imported, recorded, run
from tests.engine.models.varnet_problem import CancelAt, Stages, moved, problem
from tests.engine.tensors import relative

FRAMES = 3


def tiny(maps="given"):
    torch.manual_seed(0)
    config = VNUNetConfig(frames=FRAMES, cascades=3, filters=3, pools=1, maps=maps, maps_filters=2, maps_pools=1)
    return moved(VNUNet(config), 0.05)


@pytest.mark.parametrize("name", ["vn_unet", "vn_unet_relax"])
def test_the_paper_counts_310346430_parameters(name):
    spec = MODELS.get(name)
    assert next(iter(spec.presets)) == "paper"
    assert spec.presets["paper"].cascades == 10
    assert spec.parameters("paper") == 310_346_430
    assert spec.parameters("maps") == 310_346_430 + 31_034_642
    assert spec.parameters("small") < 400_000
    assert spec.frames(spec.presets["paper"]) == 9
    assert spec.frames(spec.presets["t2"]) == 3


def test_the_guided_network_is_the_same_network():
    plain, guided = MODELS.get("vn_unet"), MODELS.get("vn_unet_relax")
    assert plain.build is guided.build
    assert dict(plain.presets) == dict(guided.presets)
    assert any("mapping network" in note for note in guided.notes)


def ours(value):
    """Recorded (coil, kx, ky, time) to ours (frame, coil, ky, kx)."""
    return value.permute(3, 0, 2, 1).contiguous()


@pytest.mark.shared
def test_the_authors_network_gives_the_recorded_images(shared):
    folder = shared / "golden" / "relax-vnunet-18ch"
    vectors = recorded(folder)
    network, published = imported(folder, "relax-qmri")
    assert published.network == "vn_unet"
    assert published.config["frames"] == 9
    kspace, maps, mask = ours(vectors["kspace_masked"]), ours(vectors["sensitivity_maps"]), vectors["mask"][None, :, None]
    acs = vectors["sens_acs_mask"].nonzero().flatten()
    assert acs.tolist() == list(range(8, 13))
    data = ReconInput(kspace[None], SenseOperator(mask.bool()[None, :, None], maps[None]), acs=5)
    with torch.inference_mode():
        assert relative(network.sensitivity(data)[0], ours(vectors["sens_refined_maps"])) < 2e-5
    network.sensitivity = None
    image, stages = run(network, kspace, mask, maps)
    current = kspace
    for index, recorded_kspace in enumerate(vectors["kspace_after_cascade"]):
        error = mask[:, None] * (current - kspace)
        current = current - stages[index, "step_size"] * error + fft2c(expand(stages[index, "residual"][0], maps))
        assert relative(current, ours(recorded_kspace)) < 1e-5
        assert relative(stages[index, "image"][0], combine(ifft2c(ours(recorded_kspace)), maps)) < 1e-5
    assert relative(rss(ifft2c(current)), vectors["output_rss"].permute(2, 1, 0)) < 1e-5
    assert torch.equal(stages[1, "image"], image)


def transcription(network, kspace, mask, maps):
    """Eq. (8) with the authors' sign, on the k-space of all coils."""
    y = k = kspace
    for layer in network.cascades:
        x = combine(ifft2c(k), maps)
        b, t, h, w = x.shape
        channels = torch.stack((x.real, x.imag), 2).reshape(b, 2 * t, h, w)  # t0 re, t0 im, t1 re, ...
        r = layer.unet(channels).reshape(b, t, 2, h, w)
        k = k - layer.alpha * (mask * (k - y)) + fft2c(expand(torch.complex(r[:, :, 0], r[:, :, 1]), maps))
    return combine(ifft2c(k), maps)


@pytest.mark.parametrize("maps", ["given", "network"])
@pytest.mark.parametrize("kind", ["lines", "lines per frame", "plane per frame"])
def test_it_is_the_published_iteration(kind, maps):
    kspace, operator = problem(kind=kind, frames=FRAMES)
    network, data = tiny(maps), ReconInput(kspace, operator)
    with torch.no_grad():
        used = network.sensitivity(data) if maps == "network" else operator.maps
        expected = transcription(network, kspace, operator.mask, used)
        assert relative(network(data), expected) < 1e-11
        with plain_forms():
            assert relative(network(data), expected) < 1e-11


def test_refined_maps_have_unit_norm_and_are_one_for_each_time():
    kspace, operator = problem(frames=FRAMES)
    with torch.no_grad():
        maps = tiny("network").sensitivity(ReconInput(kspace, operator))
    assert maps.shape == kspace.shape
    assert torch.allclose(maps.abs().square().sum(-3), torch.ones((), dtype=torch.float64))
    assert (maps[:, 0] - maps[:, 1]).abs().max() > 1e-3


def test_with_a_silent_unet_only_data_consistency_is_left():
    kspace, operator = problem(frames=FRAMES)
    network = tiny()
    with torch.no_grad():
        for layer in network.cascades:
            layer.unet.output.weight.zero_()
            layer.unet.output.bias.zero_()
        assert relative(network(ReconInput(kspace, operator)), operator.adjoint(kspace)) < 1e-13


def test_slices_do_not_see_each_other_frames_do():
    kspace, operator = problem(frames=FRAMES)
    network = tiny()
    with torch.no_grad():
        together = network(ReconInput(kspace, operator))
        alone = network(ReconInput(kspace[1:], SenseOperator(operator.mask, operator.maps[1:])))
        assert relative(alone, together[1:]) < 1e-11
        other = kspace.clone()
        other[:, 0] *= 2
        assert relative(network(ReconInput(other, operator))[:, 1:], together[:, 1:]) > 1e-3


def test_stages_hold_image_step_size_and_residual_of_every_layer():
    kspace, operator = problem(frames=FRAMES)
    network, stages = tiny(), Stages()
    with torch.no_grad():
        image = network(ReconInput(kspace, operator, stages=stages))
    assert set(stages) == {(i, part) for i in range(3) for part in ("image", "step_size", "residual")}
    assert torch.equal(stages[2, "image"], image)
    assert relative(operator.adjoint(kspace) + stages[0, "residual"], stages[0, "image"]) < 1e-12


@pytest.mark.parametrize("frames", [2, 4])
def test_another_number_of_frames_is_refused(frames):
    kspace, operator = problem(frames=frames)
    with pytest.raises(ShapeError, match=f"expected {FRAMES} / found {frames}") as caught:
        tiny()(ReconInput(kspace, operator))
    assert caught.value.hint


def test_cancel_is_answered_inside_a_unet():
    kspace, operator = problem(frames=FRAMES)
    report = CancelAt(12)
    with pytest.raises(Cancelled), torch.no_grad():
        tiny()(ReconInput(kspace, operator, report=report))
    assert report.checks == 12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 0}, "frames of vn_unet is out of range"),
        ({"cascades": 0}, "cascades of vn_unet is out of range"),
        ({"maps_pools": -1}, "maps_pools of vn_unet is out of range"),
        ({"maps": "guessed"}, "the coil maps of vn_unet are out of range"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        VNUNetConfig(**settings)
    assert caught.value.hint


def test_a_new_network_begins_near_the_zero_filled_image():
    kspace, operator = problem(frames=FRAMES)
    torch.manual_seed(0)
    new = VNUNet(VNUNetConfig(frames=FRAMES, cascades=4, filters=8, pools=1)).double()
    with torch.no_grad():
        image = new(ReconInput(kspace, operator))
    assert relative(image, combine(ifft2c(kspace), operator.maps)) < 0.05
