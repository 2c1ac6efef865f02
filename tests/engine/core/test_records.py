"""Records as JSON: every kind of value, and fields that are written in another form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from engine.core.records.options import Option
from engine.core.records.plain import BY_NAME, FLAT, key, plain, table


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    size: tuple[int, int] = (2, 3)
    share: float = float("nan")


@dataclass(frozen=True, slots=True)
class Outer:
    colour: Colour
    where: Path
    inner: Inner
    own: Inner = field(default_factory=lambda: Inner((4, 5), 0.5), metadata=FLAT)
    options: tuple[Option, ...] = field(default=(), metadata=BY_NAME)
    two_words: Mapping[str, bool] = field(default_factory=dict, metadata=key("two words"))
    nothing: None = None


def test_a_record_is_an_object_of_its_fields():
    made = Outer(
        Colour.RED, Path("a/b"), Inner(), options=(Option("gain", 1.5, "how much"),), two_words=MappingProxyType({"x": True})
    )
    expected = {
        "colour": "red",
        "where": str(Path("a/b")),
        "inner": {"size": [2, 3], "share": None},
        "size": [4, 5],
        "share": 0.5,
        "options": {"gain": {"default": 1.5, "help": "how much", "minimum": None, "maximum": None}},
        "two words": {"x": True},
        "nothing": None,
    }
    assert table(made) == expected
    assert json.loads(json.dumps(plain([made]), allow_nan=False)) == [expected]


def test_arrays_and_numbers_of_numpy():
    found = plain({"a": np.arange(4.0).reshape(2, 2), "n": np.int64(3), "x": np.float32(0.5), "yes": np.True_, "far": np.inf})
    assert found == {"a": [[0.0, 1.0], [2.0, 3.0]], "n": 3, "x": 0.5, "yes": True, "far": None}
    assert type(found["n"]) is int
    assert type(found["yes"]) is bool


@pytest.mark.parametrize("value", [object(), Inner, 1j, {1, 2}])
def test_what_has_no_form_is_refused(value):
    with pytest.raises(TypeError, match="has no form in JSON"):
        plain(value)


def test_only_a_record_is_a_table():
    with pytest.raises(TypeError, match="is no record"):
        table([1])
