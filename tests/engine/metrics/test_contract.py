"""What every metric promises: driven by the registry."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from engine.core.errors import InputError, ShapeError, UnknownNameError
from engine.metrics import METRICS

NAMES = METRICS.names()
REGIONAL = [name for name in NAMES if METRICS.get(name).takes_region]


def value(name, estimate, reference, region=None):
    return METRICS.get(name).compute(estimate, reference, region, float(reference.max()))


def test_the_issues_metrics_are_there():
    assert {"psnr", "ssim", "ssim_gaussian", "nmse", "hfen", "haarpsi"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_direction_holds_for_growing_error(name, pair, rng):
    _, reference = pair
    noise = rng.standard_normal(reference.shape).astype(np.float32) * 1e-4
    values = [value(name, reference + k * noise, reference) for k in (1, 2, 4)]
    ordered = sorted(values, reverse=METRICS.get(name).higher_is_better)
    assert values == ordered
    assert len(set(values)) == 3


@pytest.mark.parametrize("name", NAMES)
def test_scale_of_both_does_not_matter(name, pair):
    estimate, reference = pair
    assert value(name, estimate * 1000, reference * 1000) == pytest.approx(value(name, estimate, reference), rel=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_estimate_is_not_rescaled(name, pair):
    estimate, reference = pair
    assert value(name, estimate * 2, reference) != pytest.approx(value(name, estimate, reference), rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_left_alone(name, pair):
    estimate, reference = pair
    before = estimate.copy(), reference.copy()
    estimate.flags.writeable = reference.flags.writeable = False
    value(name, estimate, reference)
    assert np.array_equal(before[0], estimate)
    assert np.array_equal(before[1], reference)


@pytest.mark.parametrize("name", REGIONAL)
def test_region_of_all_pixels_is_the_whole_image(name, pair):
    estimate, reference = pair
    everywhere = np.ones(reference.shape[1:], bool)
    assert value(name, estimate, reference, everywhere) == pytest.approx(value(name, estimate, reference), rel=1e-6)


@pytest.mark.parametrize("name", REGIONAL)
def test_errors_far_from_the_region_do_not_count(name, pair):
    estimate, reference = pair
    region = np.zeros(reference.shape[1:], bool)
    region[10:20, 10:18] = True
    spoiled = estimate.copy()
    spoiled[:, :, 36:] = 9
    assert value(name, spoiled, reference, region) == pytest.approx(value(name, estimate, reference, region), rel=1e-5)


@pytest.mark.parametrize("name", REGIONAL)
def test_empty_region(name, pair):
    with pytest.raises(InputError, match="the region is empty"):
        value(name, *pair, np.zeros((37, 44), bool))


@pytest.mark.parametrize("name", REGIONAL)
def test_region_of_another_matrix(name, pair):
    with pytest.raises(ShapeError, match="the region does not fit the images"):
        value(name, *pair, np.ones((37, 43), bool))


@pytest.mark.parametrize("name", NAMES)
def test_images_of_other_shapes(name, pair):
    estimate, reference = pair
    with pytest.raises(ShapeError, match="estimate and reference differ"):
        value(name, estimate[:2], reference)


def test_unknown_metric():
    with pytest.raises(UnknownNameError, match="unknown metric 'sim'"):
        METRICS.get("sim")


def test_listing_metrics_loads_no_heavy_library():
    code = (
        "import sys; from engine.metrics import METRICS; METRICS.names();"
        "bad = {'torch', 'scipy', 'numba', 'skimage'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
