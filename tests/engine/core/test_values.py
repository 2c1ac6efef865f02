"""Plain values: found by dotted names, and told apart by kind."""

from __future__ import annotations

import pytest

from engine.core.records.values import at, listed, number, number_at, tabled


def test_a_value_by_its_dotted_name():
    values = {"run": {"steps": 9, "device": "cpu"}}
    assert (at(values, "run.steps"), at(values, "run.minutes"), at(values, "run.steps.more", "none")) == (9, None, "none")
    assert (number_at(values, "run.steps"), number_at(values, "run.device"), number_at({}, "run")) == (9.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [(listed, ([1], (1, 2)), ("ab", 3, {}, None)), (tabled, ({"a": 1},), ([], "a", None)), (number, (1, 0.5), (True, "1", None))],
)
def test_values_of_another_kind_are_refused(kind, right, wrong):
    assert all(kind(value) is value for value in right)
    for value in wrong:
        with pytest.raises(TypeError, match="expected a"):
            kind(value)
