"""The list of methods: what it says, what it costs, and what one reconstruction will take."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from engine import api
from engine.core import places
from engine.core.errors import InputError, UnknownNameError
from engine.core.records.plain import plain
from engine.core.records.weights import ModelCard
from engine.core.types import SamplingMask
from engine.models import MODELS
from engine.reconstruction.weights import spec_of
from engine.weights import library
from engine.weights.published import PUBLISHED


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(places.WEIGHTS_VARIABLE, str(tmp_path / "library"))
    monkeypatch.setattr(library, "bundled_folder", lambda: tmp_path / "bundled")


@pytest.mark.slow
def test_all_methods_without_their_costs():
    found = api.methods(costs=False)
    assert [record.name for record in found] == MODELS.names()
    assert all(preset.macs is None for record in found for preset in record.presets.values())
    json.dumps(plain(found), allow_nan=False)


@pytest.mark.slow
def test_one_record_with_its_costs():
    (record,) = api.methods(["egla_varnet"])
    paper = record.presets["paper"]
    assert (paper.parameters, paper.macs_shape, paper.paper_macs) == (3_279_108, "1x10x144x512", 236.58e9)
    assert paper.macs == pytest.approx(paper.paper_macs, rel=0.005)
    assert 100 < paper.memory_mib < 1000
    assert record.presets["small"].paper_macs is None
    assert "ptflops" in record.macs_counting
    assert record.weights == ()


@pytest.mark.slow
def test_presets_for_other_frames_are_counted_at_theirs():
    (record,) = api.methods(["rvn"])
    assert (record.presets["paper"].frames, record.presets["t2"].frames) == (9, 3)
    assert record.presets["t2"].macs_shape == "3x10x144x512"


def test_names_and_sources():
    with pytest.raises(UnknownNameError, match="unknown method 'jotlas'"):
        api.methods(["jotlas"])
    (record,) = api.methods(["dc_cnn"], costs=False)
    assert list(record.sources) == [name for name, source in PUBLISHED.items() if "dc_cnn" in source.networks] != []
    assert {source.name for source in api.weight_sources()} == set(PUBLISHED.names())
    assert all(source.networks for source in api.weight_sources())


def test_every_network_that_a_source_names_is_there():
    assert all(spec_of(network).trainable for _, source in PUBLISHED.items() for network in source.networks)


def test_macs_of_the_default_preset():
    assert api.method_macs("jotlasnet") == pytest.approx(137.6e9, rel=0.001)
    assert api.method_macs("cg_sense") is None


def install(preset):
    spec = MODELS.get("jotlasnet")
    torch.manual_seed(0)
    state = {key: value.numpy() for key, value in spec.build(spec.presets[preset]).state_dict().items()}
    config = {"cells": spec.presets[preset].cells, "channels": spec.presets[preset].channels}
    return library.add(state, ModelCard(id=preset, network="jotlasnet", config=config, parameters=0, sha256="")).card.id


@pytest.mark.slow
def test_memory_follows_the_weights_the_mask_and_the_settings():
    shape = (3, 8, 4, 96, 128)
    small, paper = (api.memory_estimate("jotlasnet", shape, weights=install(preset)) for preset in ("small", "paper"))
    assert small < paper == api.memory_estimate("jotlasnet", shape)
    moving = np.zeros((8, 96, 1), dtype=bool)
    moving[::2, ::2], moving[1::2, 1::2] = True, True
    mask = SamplingMask(moving, "moving", 2.0)
    assert api.memory_estimate("cg_sense", shape, mask) > api.memory_estimate("cg_sense", shape)
    with pytest.raises(InputError, match="cg_sense has no option 'x'"):
        api.memory_estimate("cg_sense", shape, settings={"x": 1})


@pytest.mark.slow
def test_memory_of_frames_that_a_network_does_not_serve_is_not_told():
    assert api.memory_estimate("rvn", (1, 4, 2, 32, 32)) is None
    assert api.memory_estimate("rvn", (1, 9, 2, 32, 32)) > 0
