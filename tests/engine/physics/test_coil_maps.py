"""Estimated maps against an analytic truth; every method, many shapes; what is refused."""

import pytest
import torch

from engine import api
from engine.core.errors import InputError, ShapeError, UnknownNameError
from engine.physics.coil_maps import METHODS, estimate
from engine.physics.coils import expand
from engine.physics.fourier import fft2c, ifft2c


def scan(coils=6, height=96, width=80, noise=0.02, seed=0):
    """Return k-space (1, coil, ky, kx) of an ellipse with an organ, the true unit maps and the body."""
    y, x = torch.meshgrid(
        (torch.arange(height) - height // 2).double() / height, (torch.arange(width) - width // 2).double() / width, indexing="ij"
    )
    angles = 2 * torch.pi * torch.arange(coils).double() / coils
    wires = torch.polar(torch.full_like(angles, 0.62), angles)[:, None, None]
    fields = 1 / (torch.complex(x, y) - wires)
    length = torch.linalg.vector_norm(fields, dim=0)
    body = (x / 0.38) ** 2 + (y / 0.34) ** 2 < 1
    image = (body + 0.8 * ((x - 0.1) ** 2 + y**2 < 0.01)) * torch.polar(torch.ones_like(x), x - 2 * y) * length
    kspace = fft2c(expand((image / image.abs().max())[None, None], fields / length))[0]
    generator = torch.Generator().manual_seed(seed)
    kspace = kspace + noise * torch.randn(kspace.shape, dtype=torch.complex128, generator=generator)
    return kspace.to(torch.complex64), (fields / length).to(torch.complex64), body


def lines(height, first, last, step=4):
    mask = torch.zeros(1, height, 1, dtype=torch.bool)
    mask[:, ::step], mask[:, first:last] = True, True
    return mask


def angle_error(maps, truth, body):
    cosine = (maps[0].conj() * truth).sum(0).abs()[body].clamp_max(1)
    return float((1 - cosine**2).mean().sqrt())


@pytest.mark.parametrize(("method", "limit"), [("espirit", 0.015), ("walsh", 0.06), ("low_res", 0.06)])
@pytest.mark.parametrize(("height", "width"), [(96, 80), (97, 81)])
def test_maps_point_along_the_truth(method, limit, height, width):
    kspace, truth, body = scan(height=height, width=width)
    mask = lines(height, height // 2 - 12, height // 2 + 12)
    maps = estimate(kspace * mask, mask, (height // 2 - 12, height // 2 + 12), method)
    assert maps.dtype == torch.complex64
    assert angle_error(maps, truth, body) < limit


def test_espirit_beats_the_low_resolution_ways_and_improves_with_snr():
    errors = {}
    for noise in (0.1, 0.02, 0.002):
        kspace, truth, body = scan(noise=noise)
        errors[noise] = angle_error(estimate(kspace), truth, body)
        assert errors[noise] < angle_error(estimate(kspace, method="low_res"), truth, body)
    assert errors[0.1] > 2 * errors[0.02] > 3 * errors[0.002]


def test_the_coarse_grid_costs_nothing():
    kspace, truth, body = scan(noise=0.002)
    fine = estimate(kspace, grid=1.0)
    coarse = estimate(kspace)
    assert angle_error(coarse, fine[0], body) < 1e-3
    assert angle_error(coarse, truth, body) < 1.1 * angle_error(fine, truth, body)


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("coils", [2, 5, 32])
@pytest.mark.parametrize(("height", "width"), [(48, 52), (33, 17), (12, 9), (7, 5), (3, 4)])
def test_maps_are_of_unit_length_everywhere(method, coils, height, width):
    noise = torch.randn(3, coils, height, width, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
    maps = estimate(noise, method=method)
    assert maps.shape == (1, coils, height, width)
    torch.testing.assert_close(maps.abs().square().sum(1), torch.ones(1, height, width), rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_phase_is_that_of_parallel_transport_and_the_same_every_time(method):
    kspace, truth, body = scan()
    maps = estimate(kspace, method=method)
    assert torch.equal(maps, estimate(kspace, method=method))
    inside = body[1:] & body[:-1]
    assert (maps[0, :, 1:].conj() * maps[0, :, :-1]).sum(0)[inside].angle().abs().max() < 5e-3
    inside = body[:, 1:] & body[:, :-1]
    assert (maps[0, :, :, 1:].conj() * maps[0, :, :, :-1]).sum(0)[inside].angle().abs().max() < 0.15
    # A phase of the whole scan, or of the object, is no property of the coils.
    turned = estimate(kspace * torch.exp(torch.tensor(1.3j)), method=method)
    torch.testing.assert_close(turned[:, :, body], maps[:, :, body], rtol=0, atol=2e-3)
    assert truth.shape == maps.shape[1:]


@pytest.mark.parametrize("scale", [1e-12, 1e8])
def test_maps_do_not_depend_on_the_scale(scale):
    kspace, _, body = scan()
    torch.testing.assert_close(estimate(kspace * scale)[:, :, body], estimate(kspace)[:, :, body], rtol=0, atol=1e-3)


def test_a_single_coil_has_maps_of_ones():
    maps = estimate(torch.zeros(2, 1, 6, 5, dtype=torch.complex64))
    assert torch.equal(maps, torch.ones(1, 1, 6, 5, dtype=torch.complex64))


def test_a_recovery_whose_frames_cancel_still_calibrates():
    kspace, truth, body = scan()
    weights = torch.tensor([-1.0, -0.5, 0.5, 1.0]).reshape(-1, 1, 1, 1)
    frames = weights * kspace + 0.02 * torch.randn(4, *kspace.shape[1:], generator=torch.Generator().manual_seed(2))
    assert angle_error(estimate(frames), truth, body) < 0.02


def test_frames_with_other_lines_each_calibrate_together():
    _, truth, body = scan()
    mask = torch.zeros(4, 96, 1, dtype=torch.bool)
    for frame in range(4):
        mask[frame, frame::4] = True
    shared = torch.cat([scan(seed=frame)[0] for frame in range(4)]) * mask.unsqueeze(1)
    assert angle_error(estimate(shared, mask), truth, body) < 0.02
    assert angle_error(estimate(shared, mask.unsqueeze(1)), truth, body) < 0.02


def test_without_a_measured_centre_low_resolution_serves():
    kspace, truth, body = scan()
    mask = lines(96, 46, 50)
    assert angle_error(estimate(kspace * mask, mask, (46, 50)), truth, body) < 0.25
    gap = lines(96, 0, 0)
    gap[:, 48] = False
    maps = estimate(kspace * gap, gap)
    torch.testing.assert_close(maps.abs().square().sum(1), torch.ones(1, 96, 80), rtol=0, atol=1e-5)


def test_crop_removes_what_no_coil_explains():
    kspace, truth, body = scan()
    maps = estimate(kspace, crop=0.9)
    energy = maps[0].abs().square().sum(0)
    assert set(energy.round().int().unique().tolist()) == {0, 1}
    assert energy[body].mean() > 0.99
    assert energy[~body].mean() < 0.7
    assert truth.shape == maps.shape[1:]


@pytest.mark.cuda
def test_cuda_equals_cpu():
    kspace, truth, body = scan()
    assert angle_error(estimate(kspace.cuda()).cpu(), estimate(kspace)[0], body) < 1e-3
    assert angle_error(estimate(kspace.cuda()).cpu(), truth, body) < 0.015


def test_what_cannot_be_used_is_refused():
    kspace = scan()[0]
    with pytest.raises(UnknownNameError, match="unknown coil-map method 'espirt'"):
        estimate(kspace, method="espirt")
    with pytest.raises(InputError, match="have no option 'iterations'"):
        estimate(kspace, iterations=3)
    with pytest.raises(InputError, match="calibration size must be a whole number"):
        estimate(kspace, size=2)
    with pytest.raises(InputError, match="option crop must lie between 0 and 1"):
        estimate(kspace, crop=1.5)
    with pytest.raises(InputError, match="option kernel must lie between 2 and 16"):
        estimate(kspace, kernel=1)
    with pytest.raises(ShapeError, match=r"expected four axes frame, coil, ky, kx"):
        estimate(kspace[0])
    with pytest.raises(ShapeError, match=r"ACS lines 90\.\.100 lie outside ky"):
        estimate(kspace, acs=(90, 100))
    with pytest.raises(ShapeError, match="mask does not fit k-space"):
        estimate(kspace, torch.ones(1, 95, 1, dtype=torch.bool))
    with pytest.raises(InputError, match="centre of k-space is zero or not finite"):
        estimate(kspace * 0)
    kspace[0, 0, 48, 40] = float("nan")
    with pytest.raises(InputError, match="centre of k-space is zero or not finite"):
        estimate(kspace)


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_maps_do_not_depend_on_the_scale_of_the_data(factor):
    """Frames are combined by squares, which single precision cannot hold at either end."""
    kspace, _, _ = scan()
    series = torch.cat([kspace, 0.7 * kspace.roll(1, -1), 1.1 * kspace])
    plain, scaled = estimate(series), estimate(series * factor)
    assert float((plain - scaled).abs().max()) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kidney_molli", "porcine_cine", "phantom_molli"])
def test_espirit_on_measured_images_that_fill_the_field_of_view(name):
    """Maps are not periodic: where tissue reaches the edge of the field of view, several eigenvalues are near one."""
    series = api.simulate(api.open_sample(name), coils=10, snr=100.0)
    kspace = torch.from_numpy(series.read(0).copy())
    strength = ifft2c(kspace).abs().square().sum((0, 1))
    truth = torch.from_numpy(series.reader._source.maps(0).copy())
    truth = truth / torch.linalg.vector_norm(truth, dim=0)
    errors = {}
    for method in METHODS:
        cosine = (estimate(kspace, method=method)[0].conj() * truth).sum(0).abs().clamp_max(1)
        errors[method] = float((((1 - cosine**2) * strength).sum() / strength.sum()).sqrt())
    assert errors["espirit"] < 0.08, errors
    assert errors["espirit"] < 0.8 * min(errors["walsh"], errors["low_res"]), errors
