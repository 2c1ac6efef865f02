"""The site's own reference values: written, read, checked; none built in."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.core.errors import FormatError, InputError, OutputError
from engine.core.records.relaxometry import SiteReference
from engine.relaxometry.references import default_path, read_references, save_references, z_score

ENTRY = {"quantity": "T1", "field_t": 3, "sequence": "MOLLI 5(3)3", "mean": 1184, "sd": 38, "note": "women"}
SITE = SiteReference(**ENTRY)


def test_nothing_is_built_in(tmp_path, monkeypatch):
    monkeypatch.setenv("MYOSCOPE_CONFIG_DIR", str(tmp_path / "new"))
    assert default_path() == tmp_path / "new" / "site-references.json"
    assert read_references() == []


def test_what_is_written_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("MYOSCOPE_CONFIG_DIR", str(tmp_path / "new"))
    other = SiteReference("ECV", 1.5, "MOLLI, Größe S", 25.0, 4.0)
    assert save_references([SITE, other]) == default_path()
    found = read_references()
    assert found == [SiteReference("T1", 3.0, "MOLLI 5(3)3", 1184.0, 38.0, "women"), other]
    assert [site.name for site in found] == ["T1, 3 T, MOLLI 5(3)3 (women)", "ECV, 1.5 T, MOLLI, Größe S"]
    save_references(found[1:])
    assert read_references() == [other]


def test_z_score():
    assert z_score(1222.0, SITE) == 1.0
    assert z_score(1108.0, SITE) == -2.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": "T3"}, "unknown quantity"),
        ({"sd": 0}, "sd of the site reference"),
        ({"mean": "1000"}, "mean of the site reference"),
        ({"field_t": float("nan")}, "field_t of the site reference"),
        ({"sequence": " "}, "names no sequence"),
        ({"note": 3}, "note is no text"),
        ({"vendor": "x"}, "unknown fields: vendor"),
    ],
)
def test_entries_that_cannot_be_used(change, words, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([ENTRY, ENTRY | change]), encoding="utf-8")
    with pytest.raises(FormatError, match=f"entry 2 of .*{words}"):
        read_references(tmp_path / "a.json")


def test_a_reference_is_checked_when_it_is_made():
    with pytest.raises(InputError, match="sd of the site reference MOLLI"):
        SiteReference("T1", 3.0, "MOLLI", 1184.0, 0.0)


def test_two_of_one_name_and_missing_fields(tmp_path):
    with pytest.raises(InputError, match="two site references are called"):
        save_references([SITE, replace(SITE, mean=1100)], tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()
    (tmp_path / "b.json").write_text('[{"quantity": "T1", "field_t": 3, "sequence": "x"}]', encoding="utf-8")
    with pytest.raises(FormatError, match="lacks mean, sd"):
        read_references(tmp_path / "b.json")
    with pytest.raises(OutputError, match="does not exist"):
        save_references([SITE], tmp_path / "no" / "a.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [("[", "cannot read"), ("{}", "no table"), ("[1]", "no table"), (json.dumps([ENTRY, ENTRY | {"sd": -1}]), "entry 2 of")],
)
def test_files_that_are_no_table(text, words, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=words):
        read_references(path)
