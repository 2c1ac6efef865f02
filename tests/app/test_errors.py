"""Failures become sentences with a hint, shown once."""

from __future__ import annotations

import sys

import pytest

from app.errors import ErrorCenter, describe
from engine.core.errors import InputError


@pytest.fixture
def center(qapp):
    made = ErrorCenter()
    yield made
    made.remove()
    made.deleteLater()


def test_an_engine_error_keeps_message_and_hint():
    notice = describe("Open scan.h5", InputError("too few (expected 3 / found 1)", "Take more."), "trace")
    assert (notice.message, notice.hint, notice.expected) == ("too few (expected 3 / found 1)", "Take more.", True)
    text = notice.as_text()
    assert text.startswith("Open scan.h5: too few")
    assert "hint: Take more." in text
    assert "myoscope" in text
    assert text.endswith("trace")


def test_a_defect_says_so():
    notice = describe("Open", KeyError("axis"))
    assert not notice.expected
    assert notice.message == "KeyError: 'axis'"
    assert "defect" in notice.hint


def test_out_of_memory_has_a_hint():
    assert "fewer slices" in describe("Run", MemoryError()).hint


def test_the_same_failure_is_shown_once(center):
    shown = []
    center.shown.connect(shown.append)
    for _ in range(5):
        center.report("Preview", InputError("bad", "x"))
    center.report("Preview", InputError("worse", "x"))
    assert [notice.message for notice in shown] == ["bad", "worse"]
    assert len(center.log) == 6


def test_the_hook_catches_what_nobody_expected_and_is_given_back(center):
    before = sys.excepthook
    shown = []
    center.shown.connect(shown.append)
    center.install()
    try:
        raise ZeroDivisionError("no")
    except ZeroDivisionError:
        sys.excepthook(*sys.exc_info())
    assert shown[0].what == "Unexpected"
    assert "ZeroDivisionError" in shown[0].details
    center.remove()
    assert sys.excepthook is before
