"""E2E VarNet: sizes, golden vectors of both forms through the importers, the iteration as written, properties."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import Cancelled, InputError
from engine.models import MODELS, ReconInput
from engine.models.e2e_varnet import E2EVarNet, E2EVarNetConfig
from engine.models.parts import sensitivity
from engine.models.parts.forms import plain_forms
from engine.models.parts.sensitivity import unit
from engine.physics.coils import combine, expand, rss
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator
from tests.engine.models.unet_golden import imported, recorded, run, turned
from tests.engine.models.varnet_problem import CancelAt, Stages, moved, problem
from tests.engine.tensors import relative

TINY = E2EVarNetConfig(cascades=3, filters=3, pools=1, maps_filters=2, maps_pools=1)
FORMS = [("fastmri", "network"), ("fastmri", "given"), ("direct", "network"), ("direct", "given")]


def tiny(form="fastmri", maps="given"):
    torch.manual_seed(0)
    return moved(E2EVarNet(E2EVarNetConfig(cascades=3, filters=3, pools=1, maps=maps, maps_filters=2, maps_pools=1, form=form)))


def test_the_paper_counts_29936966_parameters():
    spec = MODELS.get("e2e_varnet")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 29_936_966
    assert spec.parameters("direct") == 29_936_966 - 484_898
    assert spec.parameters("small") < 500_000


def lines(first, last):
    """Return what stands in for the calibration block of the fixtures: for odd sizes fastMRI's lies one line off ours."""

    def centre(data):
        chosen = torch.zeros(data.kspace.shape[-2:], dtype=torch.bool)
        chosen[first : last + 1] = True
        return chosen

    return centre


@pytest.mark.shared
@pytest.mark.parametrize(("acs", "suffix"), [((8, 13), ""), ((9, 12), "_4_lines")])
def test_fastmris_network_gives_the_recorded_images(shared, monkeypatch, acs, suffix):
    folder = shared / "golden" / "fastmri-varnet"
    vectors = recorded(folder)
    network, published = imported(folder, "fastmri")
    assert published.network == "e2e_varnet"
    monkeypatch.setattr(sensitivity, "centre_of", lines(*acs))
    kspace, mask = turned(vectors["kspace_masked"])[None], vectors["mask"][None, :, None]
    data = ReconInput(kspace[None], SenseOperator(mask.bool()[None, :, None], torch.ones_like(kspace)[None]))
    maps = turned(vectors[f"estimated_sensitivity_maps{suffix}"])
    with torch.inference_mode():
        assert relative(network.sensitivity(data)[0, 0], maps) < 1e-5
    _, stages = run(network, kspace, mask, torch.ones_like(kspace))
    found = explicit(stages, kspace[0], mask[0], maps)
    assert relative(rss(ifft2c(found[-1])), turned(vectors[f"output{suffix}"])) < 1e-5
    if suffix:
        return
    for index, expected in enumerate(turned(vectors["kspace_after_cascade"])):
        assert relative(found[index], expected) < 1e-5
        assert relative(stages[index, "image"][0, 0], combine(ifft2c(expected), maps)) < 1e-5


def explicit(stages, kspace, mask, maps):
    """Return the k-space (coil, ky, kx) after each cascade, from step sizes and residuals that a network left as stages."""
    current, found = kspace, []
    for index in range(len({i for i, _ in stages})):
        error = mask * (current - kspace)
        current = current - stages[index, "step_size"] * error + fft2c(maps * stages[index, "residual"][0, 0])
        found.append(current)
    return found


@pytest.mark.shared
def test_directs_network_gives_the_recorded_images(shared):
    folder = shared / "golden" / "direct-endtoendvarnet"
    vectors = recorded(folder)
    network, published = imported(folder, "direct")
    assert published.network == "e2e_varnet"
    assert published.config["form"] == "direct"
    with torch.inference_mode():
        initial = turned(vectors["sens_initial_maps"])
        both = torch.stack((initial.real, initial.imag), 1)
        refined = unit(torch.view_as_complex(network.sensitivity.unet(both).movedim(1, -1).contiguous()))
    assert relative(refined, turned(vectors["sens_refined_maps"])) < 1e-5
    signal = ifft2c(turned(vectors["sens_kspace_acs"]))
    inside = signal.abs().square().sum(0) > 1e-8  # outside the object the fixture's maps are rounding over rounding
    assert relative(unit(signal)[:, inside], initial[:, inside]) < 1e-5
    network.sensitivity = None
    maps = turned(vectors["sensitivity_maps"])[None]
    _, stages = run(network, turned(vectors["kspace_masked"])[None], vectors["mask"][None, :, None], maps)
    found = explicit(stages, turned(vectors["kspace_masked"]), vectors["mask"][:, None], maps[0])
    for index, expected in enumerate(turned(vectors["kspace_after_cascade"])):
        assert relative(found[index], expected) < 1e-5
        assert relative(stages[index, "image"][0, 0], combine(ifft2c(expected), maps[0])) < 1e-5
    assert relative(rss(ifft2c(found[-1])), turned(vectors["output_rss"])) < 1e-5


def transcription(network, kspace, mask, maps):
    """The published iteration on the k-space of all coils, one frame after another."""
    images = []
    for frame in range(kspace.shape[1]):
        y, m = kspace[:, [frame]], mask[:, [min(frame, mask.shape[1] - 1)]]
        s = maps[:, [min(frame, maps.shape[1] - 1)]]
        k = y
        for cascade in network.cascades:
            x = combine(ifft2c(k), s)[:, 0]
            r = cascade.unet(torch.stack((x.real, x.imag), 1))
            prior = fft2c(expand(torch.complex(r[:, 0], r[:, 1]).unsqueeze(1), s))
            k = k - cascade.eta * (m * (k - y)) + network.sign * prior
        images.append(combine(ifft2c(k), s))
    return torch.cat(images, 1)


@pytest.mark.parametrize(("form", "maps"), FORMS)
@pytest.mark.parametrize("kind", ["lines", "lines per frame", "plane per frame"])
def test_it_is_the_published_iteration(form, maps, kind):
    kspace, operator = problem(kind=kind)
    network = tiny(form, maps)
    with torch.no_grad():
        data = ReconInput(kspace, operator)
        used = network.sensitivity(data) if maps == "network" else operator.maps
        expected = transcription(network, kspace, operator.mask, used)
        assert relative(network(data), expected) < 1e-11
        with plain_forms():
            assert relative(network(data), expected) < 1e-11


def test_the_coil_maps_of_the_network_are_of_unit_norm():
    kspace, operator = problem()
    with torch.no_grad():
        maps = tiny(maps="network").sensitivity(ReconInput(kspace, operator))
    assert maps.shape == kspace.shape
    assert torch.allclose(maps.abs().square().sum(-3), torch.ones((), dtype=torch.float64))


def test_with_a_silent_unet_only_data_consistency_is_left():
    kspace, operator = problem(dtype=torch.complex64)
    network = E2EVarNet(E2EVarNetConfig(cascades=3, filters=3, pools=1, maps="given", form="direct"))
    for cascade in network.cascades:
        torch.nn.init.zeros_(cascade.unet.output.weight)
        torch.nn.init.zeros_(cascade.unet.output.bias)
    with torch.no_grad():
        assert relative(network(ReconInput(kspace, operator)), operator.adjoint(kspace)) < 1e-6


@pytest.mark.parametrize("maps", ["given", "network"])
def test_the_standardised_form_follows_the_scale_of_the_data(maps):
    kspace, operator = problem()
    with torch.no_grad():
        network = tiny(maps=maps)
        once = network(ReconInput(kspace, operator))
        assert relative(network(ReconInput(7.0 * kspace, operator)) / 7.0, once) < 1e-9


def test_slices_and_frames_do_not_see_each_other():
    kspace, operator = problem(kind="lines per frame")
    network = tiny(maps="network")
    with torch.no_grad():
        together = network(ReconInput(kspace, operator))
        part = SenseOperator(operator.mask[:, 1:], operator.maps[1:])
        assert relative(network(ReconInput(kspace[1:, 1:], part)), together[1:, 1:]) < 1e-11


def test_stages_hold_image_step_size_and_residual_of_every_cascade():
    kspace, operator = problem()
    network, stages = tiny(), Stages()
    with torch.no_grad():
        image = network(ReconInput(kspace, operator, stages=stages))
    assert set(stages) == {(i, part) for i in range(3) for part in ("image", "step_size", "residual")}
    assert torch.equal(stages[2, "image"], image)
    # k_1 = k_0 + F S r: the first image is the zero-filled one and S^H S r.
    assert relative(operator.adjoint(kspace) + stages[0, "residual"], stages[0, "image"]) < 1e-12
    assert float(stages[1, "step_size"]) == float(network.cascades[1].eta.detach())


def test_cancel_is_answered_inside_a_unet():
    kspace, operator = problem()
    report = CancelAt(12)
    with pytest.raises(Cancelled), torch.no_grad():
        tiny()(ReconInput(kspace, operator, report=report))
    assert report.checks == 12


def test_without_acs_lines_the_coil_map_network_says_what_is_missing():
    kspace, operator = problem()
    mask = operator.mask.clone()
    mask[:, :, :, 7] = False
    with pytest.raises(InputError, match="needs the centre of k-space") as caught, torch.no_grad():
        tiny(maps="network")(ReconInput(mask * kspace, SenseOperator(mask, operator.maps)))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cascades": 0}, "cascades of e2e_varnet is out of range"),
        ({"pools": -1}, "pools of e2e_varnet is out of range"),
        ({"form": "mine"}, "the form of e2e_varnet is unknown"),
        ({"maps": "guessed"}, "the coil maps of e2e_varnet are out of range"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        E2EVarNetConfig(**settings)
    assert caught.value.hint
