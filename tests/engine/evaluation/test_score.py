"""Scores and protocols."""

from __future__ import annotations

import json

import numpy as np
import pytest

import engine.metrics
from engine.core.errors import Cancelled, InputError, ShapeError, UnknownNameError
from engine.core.jobs import CancelToken, Reporter
from engine.core.types import Kind, Region
from engine.evaluation.protocols import PROTOCOLS
from engine.evaluation.score import score

REGISTRY = engine.metrics.METRICS
METRICS = ("psnr", "ssim", "nmse")


@pytest.fixture
def pair(rng):
    """Return estimate and reference, complex64 (slice 5, frame 4, y 24, x 33); slices of different brightness."""
    gain = np.array([1, 2, 3, 4, 5]).reshape(5, 1, 1, 1)
    magnitude = gain * (1 + rng.random((5, 4, 24, 33)))
    phase = np.exp(1j * rng.random((5, 4, 24, 33)))
    reference = (magnitude * phase).astype(np.complex64)
    estimate = ((magnitude + 0.05 * gain * rng.standard_normal(magnitude.shape)) * phase**2).astype(np.complex64)
    return estimate, reference


def table(scores):
    return {(s.metric, s.slice): s for s in scores}


def test_each_metric_has_every_slice_and_their_mean(pair):
    scores = score(*pair, METRICS)
    assert [(s.metric, s.slice) for s in scores] == [(m, i) for m in METRICS for i in (0, 1, 2, 3, 4, "all")]
    found = table(scores)
    for metric in METRICS:
        values = [found[metric, i].value for i in range(5)]
        assert found[metric, "all"].value == pytest.approx(np.mean(values), rel=1e-12)


def test_values_are_of_magnitude_with_the_slices_own_maximum(pair):
    estimate, reference = pair
    found = table(score(estimate, reference, METRICS))
    for index in range(5):
        e, r = np.abs(estimate[index]).astype(float), np.abs(reference[index]).astype(float)
        entry = found["psnr", index]
        assert entry.data_range == pytest.approx(r.max(), rel=1e-6)
        assert entry.value == pytest.approx(10 * np.log10(r.max() ** 2 / np.mean((e - r) ** 2)), abs=1e-4)
        assert entry.n_pixels == 4 * 24 * 33
        assert (entry.unit, entry.region, entry.higher_is_better, entry.protocol) == ("dB", "whole", True, "myoscope")
    assert found["psnr", "all"].n_pixels == 5 * 4 * 24 * 33
    assert found["psnr", "all"].data_range == found["psnr", 4].data_range


def test_region_keeps_the_whole_images_data_range(pair):
    estimate, reference = pair
    pixels = np.zeros((5, 24, 33), bool)
    pixels[:, 8:12, 9:20] = True
    pixels[2, 8:12, 15:] = False
    found = table(score(estimate, reference, METRICS, Region(pixels, "heart")))
    r = np.abs(reference[1]).astype(float)
    e = np.abs(estimate[1]).astype(float)
    error = np.mean((e[:, 8:12, 9:20] - r[:, 8:12, 9:20]) ** 2)
    assert found["psnr", 1].value == pytest.approx(10 * np.log10(r.max() ** 2 / error), abs=1e-4)
    assert (found["psnr", 1].region, found["psnr", 1].n_pixels) == ("heart", 4 * 44)
    assert found["psnr", 2].n_pixels == 4 * 24


def test_magnitude_input_gives_the_same_scores(pair):
    estimate, reference = pair
    plain = score(np.abs(estimate), np.abs(reference), METRICS)
    assert [s.value for s in plain] == [s.value for s in score(estimate, reference, METRICS)]


def test_other_shape(pair):
    estimate, reference = pair
    with pytest.raises(ShapeError, match=r"estimate and reference differ \(expected slice 5, frame 4, y 24, x 33 / found slice 4"):
        score(estimate[:4], reference)
    with pytest.raises(ShapeError, match="estimate has the wrong number of axes"):
        score(estimate[0], reference)


def test_nan_is_not_scored(pair):
    estimate, reference = pair
    spoiled = estimate.copy()
    spoiled[2, 1, 3, 4] = np.nan
    with pytest.raises(InputError, match="the estimate holds 1 values that are NaN or infinite"):
        score(spoiled, reference)
    with pytest.raises(InputError, match="the reference holds 1 values that are NaN or infinite"):
        score(estimate, np.where(np.isnan(spoiled), np.inf, reference))


def test_reference_without_signal(pair):
    estimate, reference = pair
    dark = reference.copy()
    dark[3] = 0
    with pytest.raises(InputError, match="the reference of slice 3 is zero"):
        score(estimate, dark)
    with pytest.raises(InputError, match="the reference of the series is zero"):
        score(estimate, np.zeros_like(reference), protocol="fastmri")


def test_empty_region_and_region_of_another_matrix(pair):
    pixels = np.ones((5, 24, 33), bool)
    pixels[3] = False
    with pytest.raises(InputError, match="region heart is empty in slice 3"):
        score(*pair, region=Region(pixels, "heart"))
    with pytest.raises(ShapeError, match="region heart does not fit the images"):
        score(*pair, region=Region(np.ones((5, 24, 32), bool), "heart"))


def test_metrics_of_whole_images_take_no_region(pair):
    with pytest.raises(InputError, match="haarpsi cannot be taken in a region"):
        score(*pair, ("psnr", "haarpsi"), Region(np.ones((5, 24, 33), bool), "heart"))


def test_unknown_names(pair):
    with pytest.raises(UnknownNameError, match="unknown metric 'psn'"):
        score(*pair, ("psn",))
    with pytest.raises(UnknownNameError, match="unknown protocol 'fastmr'"):
        score(*pair, protocol="fastmr")


def test_cancel(pair):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        score(*pair, report=Reporter(None, token))


def test_progress_ends_at_the_end(pair):
    seen = []
    score(*pair, report=Reporter(seen.append))
    assert seen[-1].fraction == 1


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_every_protocol_can_take_every_metric(pair, protocol):
    names = ("psnr", "ssim", "ssim_gaussian", "nmse", "hfen", "haarpsi")
    larger = [np.tile(images, (1, 1, 2, 2)) for images in pair]
    scores = score(*larger, names, protocol=protocol)
    assert {s.metric for s in scores if s.slice == "all"} == set(names)
    assert all(np.isfinite(s.value) and s.protocol == protocol for s in scores)


def cmrxrecon(estimate, reference, kind):
    """Written from the challenge's crop and score: MATLAB's indices, one frame at a time."""
    from skimage.metrics import structural_similarity

    slices, frames, y, x = reference.shape
    last = int(slices / 2 + 0.5)
    chosen = range(slices) if slices < 3 else range(last - 2, last)
    frames = 3 if kind == "cine" else frames
    height, width = int(y / 2 + 0.5), int(x / 3 + 0.5)

    def crop(size, part):
        # 1-based: floor(m / 2) + 1 + ceil(-s / 2) : floor(m / 2) + ceil(s / 2)
        return slice(size // 2 + int(np.ceil(-part / 2)), size // 2 + int(np.ceil(part / 2)))

    values = {"psnr": [], "ssim": [], "nmse": []}
    for index in chosen:
        for frame in range(frames):
            e, r = (np.abs(images[index, frame]).astype(float)[crop(y, height), crop(x, width)] for images in (estimate, reference))
            e, r = e / e.max(), r / r.max()
            values["psnr"].append(-10 * np.log10(np.mean((e - r) ** 2)))
            values["ssim"].append(structural_similarity(r, e, data_range=1.0))
            values["nmse"].append(((e - r) ** 2).sum() / (r**2).sum())
    return {name: np.mean(each) for name, each in values.items()}


@pytest.mark.parametrize(("slices", "y", "x"), [(5, 24, 33), (4, 22, 32), (2, 23, 31), (1, 24, 33)])
@pytest.mark.parametrize("kind", ["cine", "mapping"])
def test_cmrxrecon_is_the_challenges_ranking(pair, slices, y, x, kind):
    estimate, reference = (images[:slices, :, :y, :x] for images in pair)
    wanted = cmrxrecon(estimate, reference, kind)
    found = table(score(estimate, reference, METRICS, protocol="cmrxrecon", kind=Kind.CINE if kind == "cine" else Kind.MOLLI))
    for name, value in wanted.items():
        assert found[name, "all"].value == pytest.approx(value, rel=1e-5)
    entry = found["ssim", "all"]
    assert entry.data_range == 1.0
    assert entry.region == f"middle y {int(y / 2 + 0.5)}, x {int(x / 3 + 0.5)}, frames 0-{2 if kind == 'cine' else 3}"
    if slices == 5:
        # MATLAB's slices 2 and 3.
        assert {key[1] for key in found} == {1, 2, "all"}


def test_cmrxrecon_mapping_takes_all_frames(pair):
    mapping = score(*pair, METRICS, protocol="cmrxrecon_mapping")
    assert [s.value for s in mapping] == [s.value for s in score(*pair, METRICS, protocol="cmrxrecon", kind=Kind.T2PREP)]
    assert mapping[0].protocol == "cmrxrecon_mapping"


def test_cmrxrecon_gives_an_empty_estimate_a_bad_score(pair):
    estimate, reference = pair
    assert table(score(np.zeros_like(estimate), reference, ("nmse",), protocol="cmrxrecon"))["nmse", "all"].value == pytest.approx(
        1
    )


def test_fastmri_scores_the_volume(pair):
    estimate, reference = pair
    found = table(score(estimate, reference, METRICS, protocol="fastmri"))
    assert {key[1] for key in found} == {"all"}
    e, r = np.abs(estimate).astype(float), np.abs(reference).astype(float)
    assert found["psnr", "all"].value == pytest.approx(10 * np.log10(r.max() ** 2 / np.mean((e - r) ** 2)), abs=1e-4)
    assert found["nmse", "all"].value == pytest.approx(((e - r) ** 2).sum() / (r**2).sum(), rel=1e-5)
    # The volume's maximum is not the slices': darker slices score higher.
    assert found["psnr", "all"].value != pytest.approx(table(score(estimate, reference))["psnr", "all"].value, abs=0.1)


@pytest.mark.parametrize("protocol", ["cmrxrecon", "cmrxrecon_mapping", "fastmri"])
def test_challenges_know_no_regions(pair, protocol):
    with pytest.raises(InputError, match=r"scores its own part of the image \(expected no region / found heart\)"):
        score(*pair, region=Region(np.ones((5, 24, 33), bool), "heart"), protocol=protocol)


@pytest.mark.shared
def test_golden_values_of_the_challenges_script(shared):
    arrays = np.load(shared / "golden/losses/io.npz")
    values = json.loads((shared / "golden/losses/config.json").read_text())["values"]
    estimate, reference = arrays["prediction"], arrays["target"]
    # The script's division by each frame's maximum, on whole frames (values made without the crop).
    for frame in range(4):
        e, r = estimate[frame] / estimate[frame].max(), reference[frame] / reference[frame].max()
        for name in METRICS:
            value = REGISTRY.get(name).compute(e[None], r[None], None, 1.0)
            assert value == pytest.approx(values[f"cmrxrecon_{name}_frame{frame}"], rel=1e-5)
