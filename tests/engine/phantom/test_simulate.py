"""Simulated coils round an image series."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import Cancelled, InputError
from engine.core.geometry import Geometry
from engine.core.jobs import CancelToken, Reporter, silent
from engine.core.types import ImageSeries, Kind
from engine.phantom import simulate as module
from engine.phantom.simulate import signal_level, simulate


@pytest.fixture
def images(rng):
    """Two slices, three frames, an odd matrix: discs with a gradient, on a dark ground."""
    y, x = np.mgrid[-30:31, -28:28]
    disc = ((y / 22) ** 2 + (x / 20) ** 2 < 1) * (100.0 + y + 2.0 * x)
    stack = np.stack([[disc * (1 + 0.1 * s + 0.05 * f) for f in range(3)] for s in range(2)])
    return ImageSeries(
        (stack + rng.uniform(0, 1, stack.shape)).astype(np.float32),
        kind=Kind.CINE,
        times_ms=np.array([0.0, 50.0, 100.0]),
        geometry=Geometry(voxel_mm=(8.0, 4.0, 4.0)),
        name="discs",
        source="discs.npz",
        notes=("made up", "simulated coils"),
        unknown=("orientation",),
        attributes={"subject": "none"},
    )


def reference(series, s):
    kspace = series.read(s).astype(np.complex128)
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes=(-2, -1)), norm="ortho"), axes=(-2, -1))


@pytest.mark.parametrize("coils", [1, 4, 10])
def test_root_of_squares_without_noise_is_the_input(images, coils):
    series = simulate(images, coils, np.inf, 0, silent())
    assert series.shape == (2, 3, coils, 61, 56)
    for s in range(2):
        rss = np.sqrt(np.sum(np.abs(reference(series, s)) ** 2, axis=1))
        np.testing.assert_allclose(rss, images.images[s], atol=1e-3)


def test_noise_is_what_was_asked(images):
    clean, noisy = (simulate(images, 6, snr, 2, silent()) for snr in (np.inf, 30.0))
    noise = np.concatenate([reference(noisy, s) - reference(clean, s) for s in range(2)])
    level = np.percentile(images.images, 95.0)
    assert level / noise.real.std() == pytest.approx(30.0, rel=0.05)
    assert level / noise.imag.std() == pytest.approx(30.0, rel=0.05)
    assert signal_level(images.images) == pytest.approx(level, rel=0.01)


def test_what_is_known_of_the_images_is_kept(images):
    series = simulate(images, 4, 40.0, 3, silent())
    assert series.kind is Kind.CINE
    np.testing.assert_array_equal(series.times_ms, images.times_ms)
    assert (series.voxel_mm, series.name, series.source) == (images.voxel_mm, "discs", "discs.npz")
    assert series.notes == ("made up", "simulated coils")
    assert series.unknown == ("orientation",)
    assert series.attributes["subject"] == "none"
    assert series.attributes["simulation"]["coils"] == 4
    assert series.fully_sampled


def test_magnitude_gets_a_smooth_phase_that_stands_still(images):
    series = simulate(images, 1, np.inf, 0, silent())
    one = reference(series, 0)[:, 0]
    bright = images.images[0].min(axis=0) > 50
    phase = one / np.abs(one)
    np.testing.assert_allclose(phase[1:, bright], np.broadcast_to(phase[:1, bright], phase[1:, bright].shape), atol=1e-4)
    assert np.ptp(np.angle(phase[0][bright])) > 0.2
    other = reference(series, 1)[:, 0]
    assert np.abs(other / np.abs(other) - phase)[0][bright].max() > 0.1


def test_complex_images_keep_their_phase(images):
    turned = ImageSeries((images.images * np.exp(1j * np.pi / 3)).astype(np.complex64))
    one = reference(simulate(turned, 1, np.inf, 0, silent()), 1)[:, 0]
    np.testing.assert_allclose(one, turned.images[1], atol=1e-3)


def test_seed_decides(images):
    one, same, other = (simulate(images, 5, 40.0, seed, silent()).read(1) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01 * np.abs(one).max()


def test_a_frame_alone_is_the_frame_of_the_slice(images):
    series = simulate(images, 5, 40.0, 0, silent())
    alone = simulate(images, 5, 40.0, 0, silent()).reader.read_frame(1, 2)
    np.testing.assert_array_equal(alone, series.read(1)[2])


@pytest.mark.parametrize("voxel", [None, (1.0, 0.05, 0.05), (1.0, 400.0, 400.0)])
def test_coils_surround_a_field_of_view_of_unknown_size(images, voxel):
    """Otherwise loops would be far larger or smaller than the object, and every coil would see the same."""
    series = simulate(ImageSeries(images.images, geometry=Geometry(voxel_mm=voxel)), 8, np.inf, 0, silent())
    pixels = reference(series, 0)[0].reshape(8, -1)
    values = np.linalg.svd(pixels @ pixels.conj().T, compute_uv=False)
    assert np.count_nonzero(values > 0.01 * values[0]) >= 4


def test_mostly_empty_images_still_have_a_level():
    image = np.zeros((1, 1, 64, 64), np.float32)
    image[..., 30:34, 30:34] = 5.0
    assert signal_level(image) == 5.0


def test_progress_and_cancel(images):
    seen = []
    simulate(images, 2, 40.0, 0, Reporter(lambda p: seen.append(p.fraction)))
    assert seen[-1] == 1.0
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        simulate(images, 2, 40.0, 0, Reporter(token=token))


def test_bad_input_is_refused(images):
    with pytest.raises(InputError, match=r"number of coils cannot be used \(expected 1 to 64 / found 0\)"):
        simulate(images, 0, 40.0, 0, silent())
    with pytest.raises(InputError, match=r"SNR cannot be used \(expected a positive number / found 0\)"):
        simulate(images, 4, 0.0, 0, silent())
    with pytest.raises(InputError, match=r"seed cannot be used \(expected 0 or more / found -2\)"):
        simulate(images, 4, 40.0, -2, silent())
    with pytest.raises(InputError, match=r"images hold no signal"):
        simulate(ImageSeries(np.zeros((1, 2, 8, 8))), 4, 40.0, 0, silent())
    broken = images.images.copy()
    broken[1, 0, 3, 3] = np.nan
    with pytest.raises(InputError, match=r"images of slice 1 hold 1 values that are NaN or infinite"):
        simulate(ImageSeries(broken), 4, 40.0, 0, silent())


def test_nothing_is_made_before_it_is_read_and_coil_maps_are_made_once(images, monkeypatch):
    made = []
    for name in ("smooth_phase", "coil_maps"):
        original = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, _name=name, _original=original: made.append(_name) or _original(*a))
    series = simulate(images, 8, 40.0, 0, silent())
    assert made == []
    series.read(1)
    assert sorted(made) == ["coil_maps", "smooth_phase"]
    series.read(1)
    assert len(made) == 2
    series.read(0)
    assert made[2:] == ["smooth_phase"]


def test_huge_images_are_finite_images():
    """The sum that looks for NaN overflows; that is neither an error nor a warning."""
    assert signal_level(np.full((1, 2, 8, 8), 1e38, np.float32)) == pytest.approx(1e38)
