"""Every contradiction is told before anything is computed, with the names of both settings."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from engine.core.errors import EngineError, InputError
from engine.core.records.training import TrainSetting
from engine.core.records.weights import ModelCard
from engine.training.checks import check, problems_of
from engine.training.config import from_values, read_config
from engine.training.presets import preset, presets
from engine.training.schema import schema
from engine.weights import library as weights_library

BASE = {"data": {"sources": [{"location": "phantom:cine"}]}}


def changed(**others):
    """Return the base with some settings changed, by dotted name."""
    values = copy.deepcopy(BASE)
    for name, value in others.items():
        *tables, last = name.split("__")
        place = values
        for table in tables:
            place = place.setdefault(table, {})
        place[last] = value
    return values


CONTRADICTIONS = [
    ({"model__network": "zero_filled"}, ["model.network"], "model.network = zero_filled has no weights to train"),
    ({"model__network": "jotlasnett"}, ["model.network"], "unknown method 'jotlasnett'"),
    ({"model__preset": "huge"}, ["model.preset", "model.network"], "model.preset = huge is not one of model.network = myonet"),
    ({"model__options": {"cascades": 0}}, ["model.options.cascades"], r"model.options.cascades is 0 \(expected 1 to 30\)"),
    ({"model__options": {"channel": 3}}, ["model.options.channel"], "unknown setting model.options.channel"),
    ({"model__network": "mapping_network", "model__scaling": "image_max", "data__sources": [{"location": "phantom:molli"}]},
     ["model.scaling", "model.network"], "the mapping network's images are always scaled by kspace_p99_all"),
    ({"model__freeze": ["nothing"]}, ["model.freeze", "model.network"],
     "is the beginning of no parameter of model.network = myonet"),
    ({"model__freeze": [""]}, ["model.freeze"], "model.freeze keeps every parameter"),
    ({"model__start": "nowhere"}, ["model.start"], "model.start: unknown weights 'nowhere'"),
    ({"model__mapping": "nowhere"}, ["model.mapping"], "model.mapping: unknown weights 'nowhere'"),
    ({"losses": {}}, ["losses"], r"losses are empty \(expected at least one term"),
    ({"losses": {"l2": 1.0}}, ["losses.l2"], "unknown loss 'l2'"),
    ({"losses": {"l1": -1.0}}, ["losses.l1"], "losses.l1 = -1"),
    ({"losses": {"l1": 1.0}, "data__mode": "self"}, ["losses.l1", "data.mode"],
     "losses.l1 needs fully sampled data, data.mode = self"),
    ({"losses": {"mapping": 0.5}}, ["losses.mapping", "model.network"], "losses.mapping belongs to ima, model.network = myonet"),
    ({"losses": {"symmetry": 0.5}}, ["losses.symmetry", "model.network"], "losses.symmetry belongs to ista_net, slr_net"),
    ({"losses": {"relax_maps": 1.0}}, ["losses.relax_maps", "model.mapping"], "asks a mapping network, and model.mapping is empty"),
    ({"losses": {"l1": 1.0}, "model__network": "lplus_s_net", "model__preset": "paper"}, ["losses.l1", "model.network"],
     "compares complex values, model.network = lplus_s_net with these settings gives magnitudes only"),
    ({"losses": {"l1": 1.0}, "model__network": "mapping_network", "data__sources": [{"location": "phantom:molli"}]},
     ["losses.l1", "model.network"], "compares images, model.network = mapping_network makes maps"),
    ({"data__mode": "self", "model__network": "mapping_network", "data__sources": [{"location": "phantom:molli"}]},
     ["data.mode", "model.network"], "data.mode = self learns from k-space, model.network = mapping_network"),
    ({"model__network": "ima", "model__preset": "paper-real"}, ["data.acquisition.coils", "model.network"],
     "data.acquisition.coils = 16 at most, model.network = ima with these settings is for one coil"),
    ({"model__network": "e2e_varnet", "model__options": {"maps": "network"}, "masks__acs": [0, 8]}, ["masks.acs", "model.options"],
     "masks.acs = 0, model.options.maps = network makes coil maps from the ACS lines"),
    ({"model__network": "gla_varnet", "model__preset": "frames-9"}, ["data.acquisition.frames", "model.network"],
     "data.acquisition.frames differ from the 9 frames that model.network = gla_varnet is built for"),
    ({"model__network": "rvn"}, ["data.sources", "model.network"],
     "phantom:cine holds cine, model.network = rvn is made for molli, t2prep"),
    ({"data__sources": [{"location": "phantom:brain"}]}, ["data.sources"], "there is no phantom of brain"),
    ({"data__sources": [{"location": "sample:nothing"}]}, ["data.sources"], "there is no sample nothing"),
    ({"data__sources": [{"location": "/no/such/place"}]}, ["data.sources"], r"there is no .*place \(expected a file or a folder\)"),
    ({"data__sources": [{"location": "$NO_SUCH_PLACE/x"}]}, ["data.sources"], "names a variable that is not set"),
    ({"masks__patterns": ["poisson"]}, ["data.columns", "masks.patterns"],
     "data.columns = 48 crops the readout, and masks.patterns has poisson"),
    ({"validation_masks__patterns": ["radial2d"]}, ["data.validation_columns", "validation_masks.patterns"],
     "data.validation_columns = 96 crops the readout, and validation_masks.patterns has radial2d"),
    ({"masks__acceleration": [8, 4]}, ["masks.acceleration"], r"masks: acceleration 8 to 4 is no range"),
    ({"optimiser__warm_up": 30, "run__steps": 20}, ["optimiser.warm_up", "run.steps"],
     "optimiser.warm_up = 30 is longer than run.steps = 20"),
    ({"optimiser__weight_decay": 0.1}, ["optimiser.weight_decay", "optimiser.name"], "is for AdamW, optimiser.name = adam"),
    ({"losses": {"l1": float("inf")}}, ["losses.l1"], r"losses.l1 = inf \(expected a finite number, 0 or more\)"),
    ({"data__sources": []}, ["data.sources"], r"data.sources are empty \(expected at least one\)"),
    ({"data__validation": [{"location": " "}]}, ["data.validation"], "data.validation has an entry without a place"),
    ({"data__validation": [{"location": "phantom:brain"}]}, ["data.validation"], "there is no phantom of brain"),
    ({"data__acquisition__snr": [10, float("inf")]}, ["data.acquisition.snr"], "snr 10 to inf is no range"),
    ({"data__augmentation__scale": [1, float("inf")]}, ["data.augmentation.scale"], "scale 1 to inf is no range"),
    ({"masks__acceleration": [4, float("inf")]}, ["masks.acceleration"], "acceleration 4 to inf is no range"),
    ({"optimiser__learning_rate": 0.0}, ["optimiser.learning_rate"], "learns nothing"),
    ({"optimiser__betas": [0.9, 1.0]}, ["optimiser.betas"], "optimiser.betas = 0.9, 1"),
    ({"run__precision": "float16", "run__device": "cpu"}, ["run.precision", "run.device"],
     "run.precision = float16 needs a CUDA GPU"),
    ({"run__device": "cuda:99"}, ["run.device"], "run.device: device cuda:99 does not exist"),
    ({"run__steps": "many"}, ["run.steps"], r"run.steps is 'many' \(expected a whole number\)"),
    ({"run__steps": True}, ["run.steps"], r"run.steps is True \(expected a whole number\)"),
    ({"run": 3}, ["run"], r"run is 3 \(expected a table\)"),
    ({"optimiser__betas": [0.9]}, ["optimiser.betas"], r"optimiser.betas has 1 values \(expected 2\)"),
    ({"run__precision": "half"}, ["run.precision"], r"run.precision is 'half' \(expected one of float32, bfloat16, float16\)"),
    ({"run__stepps": 3}, ["run.stepps"], r"unknown setting run.stepps"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "fields", "match"), CONTRADICTIONS, ids=lambda value: None if isinstance(value, str) else "")
def test_contradictions_name_their_settings(settings, fields, match, library):
    found = problems_of(changed(**settings))
    assert fields in [list(problem.fields) for problem in found], found
    assert all(problem.message and problem.hint for problem in found)
    with pytest.raises(InputError, match=match) as caught:
        check(from_values(changed(**settings)))
    assert caught.value.hint


def test_the_defaults_and_several_problems_at_once(library):
    assert problems_of({}) == []
    assert len(problems_of({"run": {"steps": 0, "epoch": "x"}, "optimiser": {"betas": [0.9, 2]}})) == 3


def test_tensorboard_without_the_package(monkeypatch, library):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    assert problems_of(changed(run__tensorboard=True))[0].message.startswith("run.tensorboard = true needs the package tensorboard")


@pytest.fixture
def weights(library):
    """Return the id of tiny weights of another network, and of other settings."""
    for name, network, config in (("other", "unet", {"filters": 8}), ("mine", "myonet", {"cascades": 2, "channels": 5})):
        weights_library.add({"x": np.zeros(1)}, ModelCard(id=name, network=network, config=config, parameters=0, sha256=""))


def test_weights_of_another_network_or_preset(weights):
    other = problems_of(changed(model__start="other"))[0]
    assert other.fields == ("model.start", "model.network")
    assert other.message == "model.start = other are weights of unet, model.network = myonet"
    preset = problems_of(changed(model__start="mine", model__preset="wide"))[0]
    assert preset.fields == ("model.start", "model.preset", "model.options")
    assert "has other settings than model.preset and model.options" in preset.message
    assert problems_of(changed(model__start="mine")) == []
    assert check(from_values(changed(model__start="mine")))[1].channels == 5
    mapping = problems_of(changed(model__mapping="mine"))[0]
    assert mapping.message == "model.mapping = mine are weights of myonet (expected mapping_network)"


@pytest.mark.parametrize("name", [record.name for record in presets()])
def test_every_preset_can_be_trained(name, library):
    values = preset(name).values
    assert problems_of(values) == []
    check(from_values(values))


def test_presets_say_what_they_are():
    names = {record.name for record in presets()}
    papers = {"egla-varnet", "ima", "vn-unet", "vn-unet-relax", "rvn", "jotlasnet", "crunet-mr", "mapping-t1", "mapping-t2"}
    assert papers | {"myonet-cine", "fine-tune", "self-supervised"} <= names
    assert all(record.title and record.notes for record in presets())
    with pytest.raises(InputError, match="unknown training preset 'nothing'"):
        preset("nothing")


def test_schema_has_a_control_for_every_setting(library):
    records = {record.name: record for record in schema()}
    assert replace(records["run.steps"], help="") == TrainSetting("run.steps", "integer", 2000, low=1, high=100_000_000)
    assert records["masks.acs"].kind == "integer_range"
    assert "equispaced" in records["masks.patterns"].choices
    assert records["losses"].kind == "weights"
    assert "kspace_nmae" in records["losses"].choices
    assert "mapping_network" in records["model.network"].choices
    assert records["data.sources"].fields[0].name == "location"
    assert records["data.sources"].default[0]["location"] == "phantom:cine"
    kinds = {
        "text",
        "integer",
        "number",
        "flag",
        "texts",
        "integers",
        "integer_range",
        "number_range",
        "weights",
        "options",
        "sources",
    }
    assert {record.kind for record in records.values()} <= kinds
    assert all(record.help for record in records.values())
    values = {}
    for name, record in records.items():
        *tables, last = name.split(".")
        place = values
        for table in tables:
            place = place.setdefault(table, {})
        place[last] = record.default
    assert from_values(values) == from_values({})


def test_files_that_are_no_configuration(tmp_path):
    with pytest.raises(EngineError, match="there is no configuration"):
        read_config(tmp_path / "none.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("steps = = 3")
    with pytest.raises(EngineError, match=r"bad\.toml is not a configuration in TOML"):
        read_config(bad)


def test_scaling_is_the_one_asked_for_or_that_of_the_start(library):
    network = {"network": "recurrent_varnet", "preset": "small"}
    own, asked = (from_values(changed(model={**network, **part})) for part in ({}, {"scaling": "image_max"}))
    assert check(own)[0].normalise == "kspace_p99_all"
    assert check(asked)[0].normalise == "image_max"
    module = check(asked)[0].build(check(asked)[1])
    state = {name: value.numpy() for name, value in module.state_dict().items()}
    settings = dataclasses.asdict(check(asked)[1])
    card = ModelCard(id="mine", network="recurrent_varnet", config=settings, parameters=1, sha256="", normalisation="image_max")
    weights_library.add(state, card)
    assert check(from_values(changed(model={"network": "recurrent_varnet", "start": "mine"})))[0].normalise == "image_max"
    wrong = problems_of(changed(model={**network, "scaling": "percentile"}))
    assert [problem.fields for problem in wrong] == [("model.scaling",)]
    assert "expected one of empty, zero_filled_p99" in wrong[0].message
