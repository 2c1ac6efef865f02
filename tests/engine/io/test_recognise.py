"""Who reads a file: the surest, then the one that goes first by its own number; who fails at looking is told and passed over."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import FormatError
from engine.core.types import ImageSeries
from engine.io import FORMATS, Format, entries, open_series
from engine.io.recognise import recognise


class Stand(Format):
    """A format of this test."""

    suffixes = ("*.stand",)
    description = "For tests."

    def __init__(self, name, precedence, mark):
        self.name = self.title = name
        self.precedence, self.mark = precedence, mark

    def sniff(self, path):
        if isinstance(self.mark, Exception):
            raise self.mark
        return self.mark if path.suffix == ".stand" else 0.0

    def list(self, path):
        del path
        yield from ()

    def read(self, entry, options):
        del entry, options
        return ImageSeries(np.ones((1, 1, 4, 3), np.float32), format=self.name)


@pytest.fixture
def register(monkeypatch):
    """Register formats for one test."""
    FORMATS.names()  # the real ones first
    monkeypatch.setattr(FORMATS, "_entries", dict(FORMATS._entries))
    return lambda *given: [FORMATS.register(one.name, one) for one in (Stand(*values) for values in given)]


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a.stand").write_bytes(b"x")
    return tmp_path / "a.stand"


def test_equally_sure_formats_go_by_precedence_not_by_name(register, file):
    register(("a", 1001, 0.5), ("z", 1002, 0.5), ("m", 1000, 0.5))
    assert open_series(file).format == "z"


def test_the_surer_one_goes_before_precedence(register, file):
    register(("a", 1002, 0.5), ("b", 1001, 0.6))
    assert open_series(file).format == "b"


def test_a_sniffer_that_fails_is_told_and_passed_over(register, file):
    register(("broken", 1002, ZeroDivisionError("by zero")), ("good", 1001, 0.5))
    series = open_series(file)
    assert series.format == "good"
    assert series.notes == ("the reader of broken failed at recognising a.stand: ZeroDivisionError: by zero",)
    assert recognise(file).failures == series.notes


def test_a_sniffer_that_fails_is_told_when_nobody_knows_the_file(register, tmp_path):
    register(("broken", 1002, ZeroDivisionError("by zero")))
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(FormatError, match=r"of no format .* the reader of broken failed at recognising a.txt: ZeroDivisionError"):
        open_series(tmp_path / "a.txt")
    (entry,) = entries(tmp_path)
    assert "broken failed" in entry.problem


def test_a_defect_of_a_reader_is_an_error_in_words(register, file, monkeypatch):
    register(("good", 1001, 0.5))
    for error, words in (
        (MemoryError(), "more data than the memory holds"),
        (KeyError("tail"), r"cannot be read as good \(KeyError"),
    ):

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(Stand, "read", fail)
        monkeypatch.setattr(Stand, "list", fail)
        with pytest.raises(FormatError, match=words) as caught:
            open_series(file)
        assert caught.value.hint
        (entry,) = entries(file)
        assert (entry.format, entry.problem, entry.hint) == ("good", caught.value.message, caught.value.hint)
