"""What the fit says about the phantoms and about measured data: the numbers that are claimed for them."""

from __future__ import annotations

import numpy as np
import pytest

from engine import api
from engine.core.maps import FitRequest
from engine.core.requests import OpenOptions, PhantomSettings
from engine.core.types import Kind
from engine.phantom.tissues import Structure


def phantom(kind, analytic, **settings):
    request = PhantomSettings(kind=kind, matrix=(72, 60), coils=1, analytic=analytic, **settings)
    return api.make_phantom(request)


@pytest.mark.parametrize("scheme", ["5(3)3", "4(1)3(1)2"])
@pytest.mark.parametrize("signed", ["complex", "magnitude"])
def test_analytic_molli_phantom_reads_the_tissue(scheme, signed):
    series, truth = phantom("molli", True, scheme=scheme)
    maps = api.fit_maps(truth["image"], FitRequest(signed=signed), times_ms=series.times_ms)
    tissue = (truth["purity"] > 0.999) & (truth["pd"] > 0) & (truth["t1_fit_ms"] > 100)
    assert np.abs(maps.main.values - truth["t1_ms"])[tissue].max() < 0.05
    assert np.abs(maps.main.values - truth["t1_fit_ms"])[tissue].max() < 0.05


@pytest.mark.parametrize("scheme", ["5(3)3", "4(1)3(1)2"])
def test_bloch_molli_phantom_reads_its_sequence(scheme):
    """The map is that of the exact fit of the simulated signal; that it is below the tissue's T1 is the sequence's bias."""
    series, truth = phantom("molli", False, scheme=scheme)
    maps = api.fit_maps(truth["image"], FitRequest(), times_ms=series.times_ms)
    assert maps.provenance["fit"]["signed"] == "complex"
    # off resonance the phase of fat changes from image to image: no model with one phase fits it
    tissue = (truth["purity"] > 0.999) & (truth["t1_fit_ms"] > 100) & (truth["labels"][:, 0] != Structure.FAT)
    assert np.abs(maps.main.values[tissue] / truth["t1_fit_ms"][tissue] - 1).max() < 1e-3
    muscle = tissue & (truth["labels"][:, 0] == Structure.LV_MYOCARDIUM)
    bias = float(np.median(maps.main.values[muscle] / truth["t1_ms"][muscle] - 1))
    assert -0.25 < bias < -0.05  # MOLLI reads low: readouts, imperfect inversion, incomplete recovery
    corrected = api.fit_maps(truth["image"], FitRequest(efficiency=0.9653), times_ms=series.times_ms)
    assert np.median(corrected.main.values[muscle] / truth["t1_ms"][muscle] - 1) == pytest.approx((1 + bias) / 0.9653 - 1, abs=1e-4)


def test_bloch_t2_phantom_reads_its_sequence():
    series, truth = phantom("t2prep", False)
    maps = api.fit_maps(truth["image"], FitRequest("t2prep2"), times_ms=series.times_ms)
    pixels = (truth["purity"] > 0.999) & (truth["labels"][:, 0] == Structure.LV_MYOCARDIUM)
    # the phantom's own reading is a straight line through logarithms: the same curve, other weights
    assert np.abs(maps.main.values[pixels] / truth["t2_fit_ms"][pixels] - 1).max() < 0.02
    analytic, clean = phantom("t2prep", True)
    exact = api.fit_maps(clean["image"], FitRequest("t2prep2"), times_ms=analytic.times_ms)
    pure = (clean["purity"] > 0.999) & (clean["t2_fit_ms"] > 5)
    assert np.abs(exact.main.values - clean["t2_ms"])[pure].max() < 0.05


def test_vials_agree_with_the_reference_map_that_came_with_them():
    """MIT phantom: T1 = T1* (B / A - 1), no efficiency factor, as the scanner's own offline map; median error below 2 %."""
    from engine.io.samples import sample_truth

    series = api.open_sample("phantom_molli")
    reference = sample_truth("phantom_molli")["t1_ms"]
    maps = api.fit_maps(series.images, FitRequest(), times_ms=series.times_ms, kind=series.kind)
    vials = (reference > 300) & (reference < 2500) & maps.valid
    assert vials.sum() > 5000
    error = maps.main.values[vials] / reference[vials] - 1
    assert abs(np.median(error)) < 0.01
    assert np.median(np.abs(error)) < 0.02
    assert np.percentile(np.abs(error), 90) < 0.03
    assert maps.valid[(reference > 300) & (reference < 2500)].mean() > 0.99


def test_kidneys_are_fitted_as_they_breathe():
    """Before motion correction: most of the body has a value, T1 is that of abdominal organs, and the residual is not noise."""
    series = api.open_sample("kidney_molli")
    maps = api.fit_maps(series.images, FitRequest(), times_ms=series.times_ms, kind=series.kind)
    assert maps.provenance["fit"]["signed"] == "magnitude"
    body = series.images.max(axis=1) > np.percentile(series.images.max(axis=1), 60)
    assert maps.valid[body].mean() > 0.9
    assert 300 < np.median(maps.main.values[body & maps.valid]) < 1500
    assert np.median(maps.r2[body & maps.valid]) > 0.95


@pytest.mark.shared
def test_prostate_echoes(shared):
    """Ten echoes, real NIfTI: T2 of prostate and muscle as published (about 80 and 35 ms), good fits, all pixels accounted for."""
    times = tuple(26.4 + 13.2 * i for i in range(10))
    path = shared / "data" / "prostate-t2-series" / "invivo_000198.nii.gz"
    series = api.open_series(path, OpenOptions(times_ms=times, kind="t2prep"))
    assert series.shape == (1, 10, 128, 128)
    assert series.kind == Kind.T2PREP
    maps = api.fit_maps(series.images, FitRequest("t2prep2"), times_ms=series.times_ms)
    centre = (slice(0, 1), slice(44, 84), slice(44, 84))
    assert maps.valid[centre].mean() > 0.99
    assert 60 < np.median(maps.main.values[centre]) < 130
    assert np.median(maps.r2[centre]) > 0.97
    with_offset = api.fit_maps(series.images, FitRequest("t2prep3"), times_ms=series.times_ms)
    both = maps.valid & with_offset.valid
    assert np.all(with_offset.residual[both] <= maps.residual[both] * (1 + 1e-4))
