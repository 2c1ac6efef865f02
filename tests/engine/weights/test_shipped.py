"""The weights that come with the program: whole, small, made from the recipes beside them, and as good as their cards say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import api
from engine.bench import quality
from engine.core.jobs import silent
from engine.core.requests import MaskRequest
from engine.io.samples import open_sample
from engine.phantom.simulate import simulate
from engine.reconstruction.weights import load
from engine.training.config import read_config
from engine.weights import library

SHIPPED = [entry for entry in library.installed() if entry.bundled]
KEPT_OUT = {8, 9, 10, 11}
CARDS = pytest.mark.parametrize("entry", SHIPPED, ids=[entry.card.id for entry in SHIPPED])


def recipe(entry):
    return read_config(library.bundled_folder() / "recipes" / f"{entry.card.id}.toml")


def test_there_are_weights_and_they_are_small():
    networks = {"myonet", "crunet_mr", "jotlasnet", "egla_varnet", "recurrent_varnet", "ima", "vn_unet_relax", "mapping_t1"}
    assert {*networks, "crunet_mr_zero_filled"} == {entry.card.id for entry in SHIPPED}
    size = sum(file.stat().st_size for file in library.bundled_folder().rglob("*") if file.is_file())
    assert size <= 30e6


@CARDS
def test_they_fit_their_network_and_their_hash(entry):
    assert library.verify()[entry.card.id]
    module, card = load(entry.card.network, entry.card.id, "cpu")
    assert sum(parameter.numel() for parameter in module.parameters()) == card["parameters"]


@CARDS
def test_the_card_says_what_they_are(entry):
    card = entry.card
    assert card.data != "unknown"
    assert card.licence == "CC0-1.0"
    assert card.use == "research use only"
    assert card.scores
    assert card.protocol
    assert card.known_failures
    assert "torch" in card.software


@CARDS
def test_the_recipe_is_theirs_and_leaves_out_what_they_are_scored_on(entry, monkeypatch):
    monkeypatch.setenv("MYOSCOPE_DATA", "/nowhere")
    config = recipe(entry)
    assert (config.model.network, config.model.preset) == (entry.card.network, entry.card.preset)
    assert config.name == entry.card.id
    for source in config.data.sources:
        if "pig-cine" in source.location:
            assert set(source.leave_out) >= KEPT_OUT
        else:
            assert "pig" not in source.location
            assert not source.location.startswith("sample:")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["crunet_mr", "egla_varnet", "ima", "jotlasnet", "recurrent_varnet"])
def test_what_begins_with_compressed_sensing_gains_on_a_slice_kept_out(name):
    """Eight frames of slice 9, so that it takes seconds."""
    stack = open_sample("porcine_cine")
    series = simulate(replace(stack, images=stack.images[1:2, :8], times_ms=None), quality.COILS, quality.SNR, 0, silent())
    mask = api.make_mask(MaskRequest("equispaced", 8, 24), series.shape)
    entries = [quality.Entry("l1_wavelet"), quality.Entry(name, name)]
    wavelet, found = (quality._score(entry, [quality.Subject(series, 0)], mask, silent()) for entry in entries)
    assert found.psnr > wavelet.psnr
    assert found.ssim > wavelet.ssim


@pytest.mark.slow
def test_myonet_beats_compressed_sensing_on_a_slice_kept_out():
    series = quality._porcine()
    mask = api.make_mask(MaskRequest("equispaced", 8, 24), series.shape)
    subject = quality.Subject(series, 1)
    scores = {name: quality._score(quality.Entry(name, weights), [subject], mask, silent()) for name, weights in METHODS}
    assert scores["myonet"].psnr > scores["l1_wavelet"].psnr + 0.5
    assert scores["myonet"].ssim > scores["l1_wavelet"].ssim
    assert scores["myonet"].dynamic_psnr > scores["l1_wavelet"].dynamic_psnr + 1.0


METHODS = (("l1_wavelet", None), ("myonet", "myonet"))
