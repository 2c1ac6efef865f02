"""Both SSIM windows against scikit-image, the compiled and the SciPy path against each other."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from engine.core.errors import InputError
from engine.metrics import structural
from engine.metrics.ssim import ssim
from engine.metrics.ssim_gaussian import ssim_gaussian

GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def theirs(estimate, reference, data_range, **options):
    from skimage.metrics import structural_similarity

    return structural_similarity(reference.astype(float), estimate.astype(float), data_range=data_range, full=True, **options)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize("data_range", [2.7e-3, 1e-3])
def test_value_is_scikit_images(pair, compiled, gaussian, data_range):
    estimate, reference = pair
    options = GAUSSIAN if gaussian else {}
    wanted = np.mean([theirs(e, r, data_range, **options)[0] for e, r in zip(estimate, reference, strict=True)])
    found = structural.mean_similarity(estimate, reference, None, data_range, gaussian, compiled)
    assert found == pytest.approx(wanted, abs=1e-11)
    assert 0.2 < wanted < 0.99


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("gaussian", [True, False])
def test_region_is_the_mean_of_the_map_where_windows_are_inside(pair, rng, compiled, gaussian):
    estimate, reference = pair
    region = rng.random((37, 44)) < 0.3
    half = 5 if gaussian else 3
    inside = np.zeros_like(region)
    inside[half:-half, half:-half] = region[half:-half, half:-half]
    wanted = np.mean(
        [theirs(e, r, 2.7e-3, **(GAUSSIAN if gaussian else {}))[1][inside].mean() for e, r in zip(estimate, reference, strict=True)]
    )
    assert structural.mean_similarity(estimate, reference, region, 2.7e-3, gaussian, compiled) == pytest.approx(wanted, abs=1e-6)


def test_compiled_sums_do_not_drift():
    # A bright band leaves the running sums; what follows is dark. 400 rows.
    rng = np.random.default_rng(1)
    reference = (0.01 * rng.random((1, 400, 60))).astype(np.float32)
    reference[:, 20:60] += 1
    estimate = (reference + 0.003 * rng.standard_normal(reference.shape)).astype(np.float32)
    paths = [structural.mean_similarity(estimate, reference, None, 1.0, False, compiled) for compiled in (True, False)]
    assert paths[0] == pytest.approx(paths[1], abs=1e-11)


@pytest.mark.parametrize(("metric", "size"), [(ssim, 7), (ssim_gaussian, 11)])
def test_smallest_image(metric, size):
    image = np.random.default_rng(0).random((2, size, size)).astype(np.float32)
    assert metric(image, image, None, 1.0) == pytest.approx(1, abs=1e-6)
    with pytest.raises(InputError, match="smaller than the SSIM window"):
        metric(image[:, 1:], image[:, 1:], None, 1.0)


@pytest.mark.parametrize("metric", [ssim, ssim_gaussian])
def test_region_at_the_border(metric, pair):
    region = np.zeros((37, 44), bool)
    region[:2] = True
    with pytest.raises(InputError, match="SSIM has no value in this region"):
        metric(*pair, region, 1.0)


def test_without_numba_scipy_does_it(pair, monkeypatch):
    estimate, reference = pair
    with_numba = ssim(estimate, reference, None, 2.7e-3)
    monkeypatch.setattr(structural, "kernels", lambda: None)
    assert ssim(estimate, reference, None, 2.7e-3) == pytest.approx(with_numba, abs=1e-6)


def test_without_numba_there_are_no_kernels(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "engine.metrics.kernels.ssim", None)
    monkeypatch.delattr("engine.metrics.kernels.ssim", raising=False)
    assert structural.kernels() is None


def test_views_that_are_not_contiguous(pair):
    estimate, reference = pair
    turned = ssim(estimate.transpose(0, 2, 1), reference.transpose(0, 2, 1), None, 2.7e-3)
    assert turned == pytest.approx(ssim(estimate, reference, None, 2.7e-3), abs=1e-6)


@pytest.mark.shared
def test_golden_values(shared):
    arrays = np.load(shared / "golden/losses/io.npz")
    values = json.loads((shared / "golden/losses/config.json").read_text())["values"]
    estimate, reference = arrays["prediction"], arrays["target"]
    peak = float(reference.max())
    assert ssim(estimate, reference, None, peak) == pytest.approx(values["fastmri_ssim"], abs=1e-6)
    for frame in range(4):
        one = ssim(estimate[frame : frame + 1], reference[frame : frame + 1], None, peak)
        assert one == pytest.approx(values[f"skimage_ssim_frame{frame}_range_volume_max"], abs=1e-6)
    own_range = float(reference[0].max())
    assert ssim(estimate[:1], reference[:1], None, own_range) == pytest.approx(
        values["skimage_ssim_frame0_range_frame_max"], abs=1e-6
    )
    wang = ssim_gaussian(estimate[:1], reference[:1], None, peak)
    assert wang == pytest.approx(values["skimage_ssim_frame0_gaussian_wang"], abs=1e-9)
    assert math.isclose(1 - ssim(estimate, reference, None, peak), values["direct_ssim_loss_batch_max_range"], abs_tol=1e-6)
