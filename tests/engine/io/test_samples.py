from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.io

from engine.core.errors import UnknownNameError
from engine.core.types import ImageSeries, Kind
from engine.io.samples import folder, open_sample, sample_truth, samples

NAMES = [sample.name for sample in samples()]
LARGEST_BYTES = 12e6


def test_the_samples_of_the_product_are_there():
    assert {"porcine_cine", "kidney_molli", "phantom_molli"} <= set(NAMES)


def test_all_samples_together_are_small():
    assert sum(path.stat().st_size for path in (folder() / "samples").iterdir()) <= LARGEST_BYTES


@pytest.mark.parametrize("sample", samples(), ids=NAMES)
def test_each_sample_has_source_changes_and_licence_text(sample):
    text = sample.licence_file.read_text(encoding="utf-8")
    key = {"CC0-1.0": "CC0 1.0 Universal", "Apache-2.0": "Apache License", "MIT": "MIT License"}[sample.licence]
    assert key in text
    assert len(text) > 1000
    assert "github.com/" in sample.source
    assert "commit" in sample.source
    assert sample.changes
    assert sample.description
    assert sample.licence in (folder() / "licences" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_each_sample_opens(name):
    series = open_sample(name)
    assert isinstance(series, ImageSeries)
    assert series.kind in (Kind.CINE, Kind.MOLLI)
    assert series.times_ms.shape == series.shape[:2]
    assert series.images.min() >= 0
    assert series.attributes["sample"] == name
    assert any("sample" in note for note in series.notes)
    json.dumps(series.attributes)


def test_porcine_cine_has_all_phases_and_its_facts():
    series = open_sample("porcine_cine")
    assert series.shape == (6, 20, 256, 256)
    assert series.voxel_mm == (5.0, 0.8203, 0.8203)
    assert series.attributes["rr_ms"] == 631
    np.testing.assert_array_equal(series.times_ms[0][[0, -1]], [10, 610])
    # It beats: blood and wall change places where the heart is, and nothing moves in the corner.
    change = series.images.std(axis=1).mean(axis=0)
    assert change[100:170, 60:190].max() > 10 * change[:40, :40].mean()


def test_phantom_has_its_reference_map():
    truth = sample_truth("phantom_molli")
    assert truth["t1_ms"].shape == (1, 160, 160)
    inside = truth["t1_ms"][0, 65:80, 50:60]
    assert 100 < np.median(inside) < 3000
    assert sample_truth("porcine_cine") == {}


def test_unknown_sample_names_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown sample 'porcine'") as caught:
        open_sample("porcine")
    assert "porcine_cine" in caught.value.hint


@pytest.mark.shared
def test_samples_are_their_sources(shared):
    """What was changed is what the cards say, and nothing else."""
    data = shared / "data"
    pig = np.load(data / "pig-cine-sax-ep" / "sax_stack_uint16_z20_t20_256x256.npz")
    np.testing.assert_array_equal(open_sample("porcine_cine").images, pig["images"][7:13])
    np.testing.assert_array_equal(open_sample("porcine_cine").times_ms[0], pig["trigger_ms"])
    kidney = np.load(data / "kidney-molli-mdreg" / "molli_kidney.npz")
    np.testing.assert_array_equal(open_sample("kidney_molli").images, kidney["array"].view(np.uint16).transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(open_sample("kidney_molli").times_ms[1], kidney["TI_ms"])
    phantom = scipy.io.loadmat(data / "molli-phantom-myomapnet" / "demo_Phantom.mat")
    channels = phantom["MOLLIT1wTI"][0, 0]
    np.testing.assert_array_equal(open_sample("phantom_molli").images[0], channels[:5].astype(np.float32))
    np.testing.assert_allclose(open_sample("phantom_molli").times_ms[0], 1000 * channels[5:, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(sample_truth("phantom_molli")["t1_ms"], 1000 * phantom["MOLLIoffLineT1Map"], rtol=1e-6)
