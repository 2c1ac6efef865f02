"""Settings by name, sections, lists as people write them."""

from __future__ import annotations

import pytest

from app.train.values import (
    duration_text,
    estimate_text,
    flat,
    named_by,
    nested,
    numbers_text,
    options_text,
    parse_numbers,
    parse_options,
    section_of,
    words_of,
)
from engine.core.records.training import TrainSetting


@pytest.mark.parametrize(
    ("text", "numbers"), [("0-3, 7", [0, 1, 2, 3, 7]), ("", []), ("5", [5]), ("1;2 4", [1, 2, 4]), ("8:10", [8, 9, 10])]
)
def test_slices_are_read_as_people_write_them(text, numbers):
    assert parse_numbers(text) == numbers
    assert parse_numbers(numbers_text(numbers)) == numbers


@pytest.mark.parametrize("text", ["a", "3-1", "1-", "-2", "1.5", "0-99999999"])
def test_what_is_no_list_of_slices_is_refused(text):
    assert parse_numbers(text) is None


def test_numbers_in_short():
    assert numbers_text([0, 1, 2, 3, 7, 9, 10]) == "0-3, 7, 9, 10"


def test_settings_of_a_network_are_toml():
    options = {"cascades": 5, "share": True, "kind": "a"}
    assert parse_options(options_text(options)) == options
    assert parse_options("cascades 5") is None


def test_flat_takes_defaults_for_what_is_not_said_and_nested_is_its_inverse():
    named = (("name", "text", "x"), ("run.steps", "integer", 5), ("run.device", "text", "auto"))
    settings = [TrainSetting(*one) for one in named]
    values = flat({"run": {"steps": 9}}, settings)
    assert values == {"name": "x", "run.steps": 9, "run.device": "auto"}
    assert nested(values) == {"name": "x", "run": {"steps": 9, "device": "auto"}}
    assert flat(nested(values), settings) == values


def test_words_before_a_control():
    assert words_of(TrainSetting("model.start", "text", "")) == "Start from"
    assert words_of(TrainSetting("optimiser.warm_up", "integer", 3)) == "Warm up"


def test_problems_name_settings_tables_and_entries():
    known = ["losses", "masks.acs", "masks.patterns", "run.steps"]
    assert named_by(["losses.ssim"], known) == ["losses"]
    assert named_by(["masks"], known) == ["masks.acs", "masks.patterns"]
    assert named_by(["run.step"], known) == []


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("name", "model"), ("data.validation", "validation"), ("data.validation_share", "validation"), ("run.threads", "more"),
        ("validation_masks.acs", "validation"), ("data.columns", "more"), ("masks.acs", "masks"), ("run.steps", "run"),
    ],
)  # fmt: skip
def test_every_setting_has_a_section(name, section):
    assert section_of(name) == section


def test_durations_and_estimates():
    assert [duration_text(s) for s in (0.2, 59, 61, 3600, 7380, 40 * 3600)] == ["1 s", "59 s", "1 min", "1 h", "2 h 3 min", "40 h"]
    assert estimate_text(2048, 0.5, 100, 0) == "about 2.0 GiB, 0.5 s a step, 50 s in all"
    assert estimate_text(300, 60.0, 1000, 30) == "about 300 MiB, 60 s a step, 30 min in all"
    assert estimate_text(None, None, 10, 5) == "5 min at most"
