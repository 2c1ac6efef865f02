"""PSNR, NMSE and HFEN against their definitions, scikit-image and published evaluation scripts."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.signal import convolve2d

from engine.core.errors import InputError
from engine.metrics.hfen import SIGMA, hfen, kernel, laplacian_of_gaussian
from engine.metrics.nmse import nmse
from engine.metrics.psnr import psnr


def test_psnr_is_scikit_images(pair):
    from skimage.metrics import peak_signal_noise_ratio

    estimate, reference = pair
    wanted = peak_signal_noise_ratio(reference.astype(float), estimate.astype(float), data_range=0.5)
    assert psnr(estimate, reference, None, 0.5) == pytest.approx(wanted, abs=1e-5)


def test_psnr_of_a_known_error():
    reference = np.zeros((2, 4, 5), np.float32)
    reference[0, 0, 0] = 2
    assert psnr(reference + np.float32(0.02), reference, None, 2.0) == pytest.approx(40, abs=1e-5)
    assert psnr(reference, reference, None, 2.0) == math.inf


def test_psnr_in_a_region_counts_its_pixels_only(pair):
    estimate, reference = pair
    region = np.zeros((37, 44), bool)
    region[3:9, 4:30] = True
    error = (estimate[:, 3:9, 4:30] - reference[:, 3:9, 4:30]).astype(float)
    assert psnr(estimate, reference, region, 1.0) == pytest.approx(-10 * np.log10(np.mean(error**2)), abs=1e-5)


def test_nmse_is_the_ratio_of_energies(pair):
    estimate, reference = pair
    assert nmse(reference * np.float32(1.1), reference, None, 1.0) == pytest.approx(0.01, rel=1e-5)
    region = np.zeros((37, 44), bool)
    region[5, 7] = region[8, 9] = True
    e, r = estimate[:, region].astype(float), reference[:, region].astype(float)
    assert nmse(estimate, reference, region, 1.0) == pytest.approx(((e - r) ** 2).sum() / (r**2).sum(), rel=1e-5)


def test_nmse_without_signal(pair):
    estimate, reference = pair
    reference[:, 4:6, 4:6] = 0
    region = np.zeros((37, 44), bool)
    region[4:6, 4:6] = True
    with pytest.raises(InputError, match="NMSE has no value"):
        nmse(estimate, reference, region, 1.0)


def log_kernel():
    """MATLAB's fspecial('log', 15, 2.5), written out."""
    y, x = np.mgrid[-7:8, -7:8]
    h = np.exp(-(y**2 + x**2) / (2 * SIGMA**2))
    h /= h.sum()
    h *= (y**2 + x**2 - 2 * SIGMA**2) / SIGMA**4
    return h - h.mean()


def test_filter_is_the_laplacian_of_gaussian(pair):
    _, reference = pair
    wanted = np.stack([convolve2d(frame.astype(float), log_kernel(), mode="same") for frame in reference])
    assert np.abs(laplacian_of_gaussian(reference) - wanted).max() < 1e-6 * np.abs(wanted).max()


def test_filter_sums_to_zero():
    image = np.ones((1, 40, 40), np.float32)
    assert np.abs(laplacian_of_gaussian(image)[0, 7:-7, 7:-7]).max() < 1e-6
    assert abs(kernel().sum()) < 1e-15


def test_hfen_is_the_ratio_of_filtered_norms(pair):
    estimate, reference = pair
    e, r = (np.stack([convolve2d(f.astype(float), log_kernel(), mode="same") for f in images]) for images in pair)
    assert hfen(estimate, reference, None, 1.0) == pytest.approx(np.linalg.norm(e - r) / np.linalg.norm(r), rel=1e-4)
    assert hfen(np.zeros_like(reference), reference, None, 1.0) == pytest.approx(1)


def test_hfen_without_signal(pair):
    estimate, reference = pair
    with pytest.raises(InputError, match="HFEN has no value"):
        hfen(estimate, np.zeros_like(reference), None, 1.0)


def test_hfen_where_only_the_rounding_of_the_filter_is_left(rng):
    # Signal in one corner, the region in the other; and a flat image away from its border.
    reference = np.zeros((2, 120, 120), np.float32)
    reference[:, :40, :40] = rng.random((2, 40, 40))
    estimate = reference + 1e-3 * rng.standard_normal(reference.shape).astype(np.float32)
    region = np.zeros((120, 120), bool)
    region[90:, 90:] = True
    for series in (reference, np.ones_like(reference)):
        region[112:] = region[:, 112:] = False
        with pytest.raises(InputError, match="HFEN has no value where the reference has no structure"):
            hfen(estimate, series, region, 1.0)
    # A millionth of the peak is structure.
    faint = reference + 1e-6 * rng.random(reference.shape).astype(np.float32)
    assert hfen(estimate, faint, region, 1.0) > 100


@pytest.fixture
def golden(shared):
    folder = shared / "golden/losses"
    arrays = np.load(folder / "io.npz")
    return arrays, json.loads((folder / "config.json").read_text())["values"]


@pytest.mark.shared
def test_psnr_and_nmse_are_fastmris_and_jotlasnets(golden):
    arrays, values = golden
    estimate, reference = arrays["prediction"], arrays["target"]
    peak = float(reference.max())
    assert psnr(estimate, reference, None, peak) == pytest.approx(values["fastmri_psnr"], abs=1e-6)
    assert psnr(estimate, reference, None, peak) == pytest.approx(values["jotlasnet_psnr_volume"], abs=1e-6)
    assert nmse(estimate, reference, None, peak) == pytest.approx(values["fastmri_nmse"], rel=1e-6)


@pytest.mark.shared
def test_log_kernel_is_the_networks_up_to_its_mean_and_scale(golden):
    # DIRECT scales the kernel to sum -1 instead of taking its mean off.
    theirs = golden[0]["log_kernel"].astype(float)
    theirs -= theirs.mean()
    ours = kernel()
    cosine = (ours * theirs).sum() / np.linalg.norm(ours) / np.linalg.norm(theirs)
    assert abs(cosine) == pytest.approx(1, abs=1e-6)
