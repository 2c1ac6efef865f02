"""The command line of training: checks, runs, listings, weights."""

from __future__ import annotations

import json

import pytest
import tomli_w

from engine import api
from engine.cli.commands import run as myoscope
from engine.core.records.events import Validation
from engine.core.records.plain import plain
from engine.training.config import from_values, read_config


@pytest.fixture
def toml(values, tmp_path):
    """Return the path of a configuration."""
    path = tmp_path / "tiny.toml"
    path.write_text(tomli_w.dumps(values))
    return path


def test_check_tells_memory_and_time_and_trains_nothing(toml, library, capsys):
    assert myoscope(["train", str(toml), "--check", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["memory_mib"] > 0
    assert found["columns"] == 16
    assert api.runs() == []
    assert myoscope(["train", str(toml), "--check"]) == 0
    assert "parameters" in capsys.readouterr().out


def test_a_contradiction_is_two_lines(toml, library, capsys):
    toml.write_text(toml.read_text().replace("steps = 6", "steps = 1"))
    assert myoscope(["train", str(toml)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: optimiser.warm_up = 2 is longer than run.steps = 1",
        "hint: Shorten the warm-up.",
    ]


def test_events_are_lines_of_json_and_the_run_can_be_looked_up(toml, library, capsys):
    assert myoscope(["train", str(toml), "--events", "-"]) == 0
    events = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events if event["event"] != "step"] == [
        "start", "validation", "validation", "validation", "end", "weights"
    ]  # fmt: skip
    (record,) = api.runs()
    assert record.weights == events[-1]["id"]
    assert [event.step for event in api.run_log(record.folder) if isinstance(event, Validation)] == [0, 3, 6]
    # The run's own configuration is the file's, with the defaults filled in.
    assert from_values(api.run_config(record.folder)) == read_config(toml)
    assert myoscope(["weights", "note", "tiny", "works"]) == 0
    assert api.weights_card("tiny").card.notes == "works"
    assert myoscope(["weights", "export", "tiny", str(toml.parent)]) == 0
    assert myoscope(["weights", "remove", "tiny"]) == 0
    assert myoscope(["weights", "restore", "tiny"]) == 0
    assert myoscope(["weights", "import", str(toml.parent / "tiny.safetensors"), "--name", "again"]) == 0
    assert {one.card.id for one in api.weights()} >= {"tiny", "again"}


def test_losses_are_listed(capsys):
    assert myoscope(["losses", "--json"]) == 0
    names = [loss["name"] for loss in json.loads(capsys.readouterr().out)]
    assert {"l1", "kspace_nmae", "hfen", "ssim", "crunet_mr", "mapping", "relax_signal", "relax_maps"} <= set(names)
    assert myoscope(["losses"]) == 0
    assert "EGLAVarNet, eq. 13" in capsys.readouterr().out


def test_the_window_s_functions_speak_plainly(values, library):
    assert json.dumps(plain(api.train_config_schema()))
    assert json.dumps(plain(api.train_presets()))
    assert api.check_train_config(values) == []
    (problem,) = api.check_train_config({**values, "losses": {"nothing": 1.0}})
    assert problem.fields == ("losses.nothing",)
    assert api.estimate_training(values).seconds_per_step > 0
    assert api.new_run_folder("tiny").endswith("tiny")
