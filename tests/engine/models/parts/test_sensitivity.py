"""Coil maps from the centre of k-space, through a network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.core.errors import InputError
from engine.models.contract import ReconInput
from engine.models.parts.sensitivity import SensitivityNetwork, centre_of, maps_network, operator_with, unit
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator

HEIGHT, WIDTH = 17, 12


class Same(nn.Module):
    """Stands in for a U-Net: gives back what it gets, and remembers it."""

    def forward(self, x, check):
        check()
        self.seen = x
        return x


def data(lines=(6, 7, 8, 9), coils=3, frames=2, acs=None, mask=None):
    g = torch.Generator().manual_seed(0)
    if mask is None:
        mask = torch.zeros(1, 1, 1, HEIGHT, 1, dtype=torch.bool)
        mask[..., list(lines), :] = True
    full = torch.randn((2, frames, coils, HEIGHT, WIDTH), generator=g, dtype=torch.complex128)
    maps = torch.ones((1, 1, coils, HEIGHT, WIDTH), dtype=torch.complex128)
    return ReconInput(mask * full, SenseOperator(mask, maps), acs=acs)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("stacked", [True, False])
def test_a_network_that_does_nothing_leaves_the_initial_maps(normalise, stacked):
    given = data(acs=4)
    low = ifft2c(given.kspace)
    expected = low / low.abs().square().sum(-3, keepdim=True).sqrt()
    network = SensitivityNetwork(Same(), stacked, normalise)
    maps = network(given)
    assert maps.shape == (2, 2, 3, HEIGHT, WIDTH)
    torch.testing.assert_close(maps, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(maps.abs().square().sum(-3), torch.ones(2, 2, HEIGHT, WIDTH, dtype=torch.float64))
    seen = network.unet.seen
    assert seen.shape == ((6, 4, HEIGHT, WIDTH) if stacked else (12, 2, HEIGHT, WIDTH))
    shown = expected if normalise else low
    # The second coil of the first slice: frames 0 and 1.
    first = seen[1] if stacked else seen[2:4].flatten(0, 1)
    torch.testing.assert_close(first[0::2], shown[0, :, 1].real, rtol=0, atol=1e-12)
    torch.testing.assert_close(first[1::2], shown[0, :, 1].imag, rtol=0, atol=1e-12)


def test_only_the_centre_counts():
    lines = (1, 4, 6, 7, 8, 9, 13, 16)
    maps = SensitivityNetwork(Same())(data(lines, acs=4))
    expected = SensitivityNetwork(Same())(centre_only(lines))
    torch.testing.assert_close(maps, expected, rtol=0, atol=1e-12)


def centre_only(lines):
    whole = data(lines, acs=4)
    keep = torch.zeros(HEIGHT, 1, dtype=torch.bool)
    keep[6:10] = True  # four lines around 17 // 2 = 8
    return ReconInput(whole.kspace * keep, whole.operator, acs=4)


def test_a_known_number_of_lines_is_taken():
    centre = centre_of(data(acs=4))
    assert centre.shape == (HEIGHT, WIDTH)
    assert centre.all(1).nonzero().flatten().tolist() == [6, 7, 8, 9]


def test_lines_that_are_not_known_are_found():
    assert centre_of(data((1, 7, 8, 9, 12))).all(1).nonzero().flatten().tolist() == [7, 8, 9]


def test_of_lines_that_change_only_those_of_all_frames_are_the_centre():
    mask = torch.zeros(1, 2, 1, HEIGHT, 1, dtype=torch.bool)
    mask[0, 0, 0, 6:10] = mask[0, 1, 0, 7:12] = True
    assert centre_of(data(mask=mask)).all(1).nonzero().flatten().tolist() == [7, 8, 9]


def test_in_a_plane_a_measured_rectangle_is_the_centre():
    mask = torch.zeros(1, 1, 1, HEIGHT, WIDTH, dtype=torch.bool)
    mask[..., 7:10, 4:9] = True
    mask[..., 0, 0] = True
    centre = centre_of(data(mask=mask))
    assert centre.sum() == 15
    assert centre[7:10, 4:9].all()


def test_without_a_centre_it_refuses():
    with pytest.raises(InputError, match="needs the centre of k-space") as caught:
        SensitivityNetwork(Same())(data((1, 4, 12)))
    assert "maps = given" in caught.value.hint


def test_a_single_coil_keeps_its_phase_and_is_not_refined():
    network = SensitivityNetwork(Same())
    maps = network(data(coils=1, acs=4))
    assert not hasattr(network.unet, "seen")
    torch.testing.assert_close(maps.abs(), torch.ones_like(maps.abs()))


def test_where_nothing_is_there_is_no_map():
    images = torch.zeros(1, 1, 2, 3, 3, dtype=torch.complex64)
    images[..., 0, 0] = torch.tensor([3.0, 4.0j])
    found = unit(images)
    assert found[0, 0, :, 0, 0].abs().tolist() == pytest.approx([0.6, 0.8])
    assert found.abs().sum().item() == pytest.approx(1.4)


def test_settings_make_the_network_or_none():
    given = data(acs=4)
    assert maps_network("given", 8) is None
    assert operator_with(None, given) is given
    torch.manual_seed(0)
    network = maps_network("network", 2).double()
    changed = operator_with(network, given)
    torch.testing.assert_close(changed.operator.maps, network(given))
    assert changed.operator.mask is given.operator.mask
    assert sum(p.numel() for p in maps_network("network", 8).parameters()) == 484_898
    assert maps_network("network", 8, 18).stacked


def test_true_maps_of_a_smooth_object_are_found():
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, 48, dtype=torch.float64), torch.linspace(-1, 1, 40, dtype=torch.float64), indexing="ij"
    )
    maps = torch.stack(
        [torch.exp(-((y - a) ** 2 + (x - b) ** 2) / 4 + 1j * (a * x - b * y)) for a, b in ((1, 0), (-1, 1), (0, -1))]
    )
    maps = maps / maps.abs().square().sum(0, keepdim=True).sqrt()
    image = torch.exp(-(y**2 + x**2) * 2).to(torch.complex128)
    mask = torch.ones(1, 1, 1, 48, 1, dtype=torch.bool)
    kspace = fft2c(image * maps)[None, None]
    found = SensitivityNetwork(Same())(ReconInput(kspace, SenseOperator(mask, maps[None, None]), acs=24))[0, 0]
    inside = image.abs() > 0.3
    aligned = (found * maps.conj()).sum(0).abs()[inside]  # 1 up to a phase that all coils share
    assert aligned.min() > 0.99
