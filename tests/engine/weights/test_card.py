"""Model cards: round trip, checked ids, foreign JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from engine.core.errors import FormatError, InputError
from engine.core.records.plain import table
from engine.core.records.weights import ModelCard, check_id
from engine.weights.card import from_json, to_json


def card(**changes):
    values = {"id": "net-a", "network": "net", "config": {"cells": 2, "widths": [1, 2]}, "parameters": 7, "sha256": "ab"}
    return ModelCard(**{**values, **changes})


def test_round_trip_through_json():
    first = card(accelerations=(4, 8), scores={"psnr": 33.5}, known_failures=("Ghosts.",), seed=3)
    again = from_json(to_json(first), "net-a.json")
    assert again == first
    assert table(again) == table(first)
    assert again.use == "research use only"


def test_later_keys_are_left_out():
    assert from_json(json.dumps({**table(card()), "added later": 1}), "x.json") == card()


def test_a_card_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        card().network = "other"
    with pytest.raises(TypeError):
        card().config["cells"] = 3


@pytest.mark.parametrize("text", ["", "[]", "3", '{"id": "a"}', "{]", json.dumps({**table(card()), "id": "../a"})])
def test_other_json_is_refused(text):
    with pytest.raises(FormatError, match=r"x\.json is not a model card") as caught:
        from_json(text, "x.json")
    assert caught.value.hint


@pytest.mark.parametrize("name", ["", "../up", "a/b", "A", "a b", ".hidden", "a" * 81, "con", "nul.x", "ä"])
def test_names_that_are_no_file_names_everywhere_are_refused(name):
    with pytest.raises(InputError, match="cannot name weights") as caught:
        check_id(name)
    assert caught.value.hint
