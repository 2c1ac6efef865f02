"""The library of weights: add, find, verify, remove, and what is refused."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from engine.core import places
from engine.core.errors import FormatError, InputError, OutputError, UnknownNameError
from engine.core.provenance import sha256
from engine.core.records.plain import plain
from engine.core.records.weights import ModelCard
from engine.weights import library

TENSORS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3).T, "scalar": np.float32(2.5).reshape(())}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(places.WEIGHTS_VARIABLE, str(tmp_path / "mine"))
    monkeypatch.setattr(library, "bundled_folder", lambda: tmp_path / "bundled")
    return tmp_path / "mine"


def draft(name="net-a", network="net"):
    return ModelCard(id=name, network=network, config={"cells": 2}, parameters=0, sha256="", licence="GPL-3.0")


def test_added_weights_are_found_with_hash_and_count(folder):
    entry = library.add(TENSORS, draft())
    assert entry.path == folder / "net-a.safetensors"
    stored = load_file(entry.path)
    assert stored.keys() == TENSORS.keys()
    assert all(np.array_equal(stored[k], v) and stored[k].shape == v.shape for k, v in TENSORS.items())
    found = library.card("net-a")
    assert found.card.parameters == 7
    assert found.card.sha256 == sha256(entry.path)
    assert found.bytes == entry.path.stat().st_size
    assert found.card.software["myoscope"]
    assert found.card.created
    assert not found.bundled
    place = {"file": str(entry.path), "bytes": found.bytes, "bundled": False}
    assert plain(library.listing()) == [{**json.loads(entry.path.with_suffix(".json").read_text()), **place}]
    assert [found.card.id for found in library.listing()] == ["net-a"]
    assert library.for_network("net") == ["net-a"]
    assert library.for_network("other") == []
    assert library.verify() == {"net-a": True}
    assert sorted(p.name for p in folder.iterdir()) == ["net-a.json", "net-a.safetensors"]


def test_the_same_weights_twice_are_one_and_others_are_refused(folder):
    first = library.add(TENSORS, draft())
    written = first.path.stat().st_mtime_ns
    assert library.add(TENSORS, draft()) == first
    assert first.path.stat().st_mtime_ns == written
    for other in ({**TENSORS, "scalar": np.float32(1).reshape(())}, {"a.weight": TENSORS["a.weight"]}):
        with pytest.raises(InputError, match="there are other weights called net-a") as caught:
            library.add(other, draft())
        assert "--name" in caught.value.hint
    with pytest.raises(InputError, match="other weights called net-a"):
        library.add(TENSORS, draft(network="another"))


def test_the_same_weights_always_have_the_same_hash(folder):
    assert library.add(TENSORS, draft("one")).card.sha256 == library.add(dict(reversed(TENSORS.items())), draft("two")).card.sha256


def test_damage_is_named_and_can_be_repaired(folder):
    entry = library.add(TENSORS, draft())
    raw = bytearray(entry.path.read_bytes())
    raw[-1] ^= 1
    entry.path.write_bytes(raw)
    assert library.verify() == {"net-a": False}
    assert "damaged (expected sha256" in library.problems()["net-a"]
    with pytest.raises(FormatError, match="net-a are damaged"):
        library.check_hash(entry)
    library.add(TENSORS, draft())
    assert library.verify() == {"net-a": True}
    entry.path.unlink()
    with pytest.raises(FormatError, match="have no file"):
        library.check_hash(entry)
    library.add(TENSORS, draft())
    assert library.verify() == {"net-a": True}


def test_a_damaged_card_hides_one_set_only(folder):
    library.add(TENSORS, draft("good"))
    (folder / "bad.json").write_text("{")
    (folder / "binary.json").write_bytes(b"\xff\xfe\x00")
    (folder / "moved.json").write_text((folder / "good.json").read_text())
    assert [found.card.id for found in library.listing()] == ["good"]
    assert library.verify() == {"good": True, "bad": False, "binary": False, "moved": False}
    assert "the card moved.json says good" in library.problems()["moved"]
    assert "cannot read the model card" in library.problems()["binary"]


def test_a_card_that_a_kill_left_unfinished_is_nobodys(folder):
    library.add(TENSORS, draft())
    (folder / ".net-b-x1.json").write_text("{")
    assert library.verify() == {"net-a": True}


def test_an_unknown_id_names_the_nearest(folder):
    library.add(TENSORS, draft("jotlasnet-radial-16"))
    with pytest.raises(UnknownNameError, match="unknown weights 'jotlasnet-radial16'") as caught:
        library.find("jotlasnet-radial16")
    assert "jotlasnet-radial-16" in caught.value.hint


def test_removed_weights_are_gone_and_bundled_ones_stay(folder, monkeypatch):
    library.add(TENSORS, draft())
    library.remove("net-a")
    assert library.listing() == []
    assert [path.name for path in folder.iterdir()] == ["removed"]  # from where they can be brought back
    library.add(TENSORS, draft())
    bundled = library.bundled_folder()
    folder.rename(bundled)
    assert library.card("net-a").bundled
    with pytest.raises(InputError, match="came with the program") as caught:
        library.remove("net-a")
    assert caught.value.hint
    assert library.verify() == {"net-a": True}


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path, folder, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(places.WEIGHTS_VARIABLE, str(tmp_path / "file" / "sub"))
    with pytest.raises(OutputError, match="cannot write"):
        library.add(TENSORS, draft())


def test_bundled_weights_lie_in_the_resources():
    assert library.bundled_folder().parts[-2:] == ("resources", "weights")


def test_headers_are_read_without_tensors(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a": np.zeros((2, 3), np.float32)}, path, metadata={"myoscope": '{"network": "net"}'})
    header = library.read_header(path)
    assert header.shapes == {"a": (2, 3)}
    assert header.about == {"network": "net"}
    save_file({"a": np.zeros(2, np.float32)}, path, metadata={"myoscope": "{"})
    assert library.read_header(path).about == {}


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("gone.safetensors", None, "no weights at"),
        ("pickled.pth", b"\x80\x02}q\x00.", "not a .safetensors file"),
        ("text.safetensors", b"hello, this is not it", "damaged or not a"),
        ("empty.safetensors", b"", "damaged or not a"),
    ],
)
def test_other_files_are_refused(tmp_path, name, content, match):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=match) as caught:
        library.read_header(tmp_path / name)
    assert caught.value.hint


def test_slugs_are_ids():
    assert library.slug("JotlasNet radial_16 (2024)") == "jotlasnet-radial_16-2024"
    assert library.slug("...") == "weights"


@pytest.mark.parametrize("failing", ["weights", "card"])
def test_a_full_disk_leaves_nothing(folder, monkeypatch, failing):
    def full(*_, **__):
        if failing == "weights":
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        raise OSError(errno.ENOSPC, "No space left on device")

    if failing == "weights":
        monkeypatch.setattr(library, "save_file", full)
    else:
        monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="the disk is full"):
        library.add(TENSORS, draft())
    assert not folder.exists()


def test_removed_weights_come_back(folder):
    before = library.add(TENSORS, draft())
    library.remove("net-a")
    assert library.listing() == []
    assert not before.path.exists()
    library.restore("net-a")
    assert library.verify() == {"net-a": True}
    with pytest.raises(UnknownNameError, match=r"no weights 'net-a' were removed \(expected one of none\)"):
        library.restore("net-a")
    library.remove("net-a")
    library.add({"other": np.ones(2, np.float32)}, draft())
    with pytest.raises(InputError, match="there are other weights called net-a by now"):
        library.restore("net-a")


def test_exported_weights_can_be_taken_again(folder, tmp_path):
    library.add(TENSORS, draft())
    library.annotate("net-a", "for the left scanner")
    out = tmp_path / "out"
    out.mkdir()
    file = library.export("net-a", out)
    assert file == out / "net-a.safetensors"
    with pytest.raises(OutputError, match=r"there is a net-a\.safetensors already"):
        library.export("net-a", out)
    with pytest.raises(InputError, match=r"weights are written as \.safetensors \(found x\.pt\)"):
        library.export("net-a", tmp_path / "x.pt")
    library.remove("net-a")
    assert library.take(file).card.notes == "for the left scanner"
    assert library.take(file, "copy").card.id == "copy"
    assert library.verify() == {"net-a": True, "copy": True}
    (out / "net-a.json").unlink()
    with pytest.raises(FormatError, match=r"net-a\.safetensors has no model card beside it"):
        library.take(file)


def test_a_damaged_export_is_not_taken(folder, tmp_path):
    library.add(TENSORS, draft())
    file = library.export("net-a", tmp_path / "x.safetensors")
    save_file({"a": np.zeros(2, np.float32)}, file)
    library.remove("net-a")
    with pytest.raises(FormatError, match="are damaged"):
        library.take(file)
    assert library.listing() == []


def test_cards_of_bundled_weights_stay_as_they_are(folder, tmp_path, monkeypatch):
    library.add(TENSORS, draft())
    monkeypatch.setattr(library, "bundled_folder", lambda: folder)
    monkeypatch.setenv(places.WEIGHTS_VARIABLE, str(tmp_path / "other"))
    with pytest.raises(InputError, match="came with the program, its card stays as it is"):
        library.annotate("net-a", "mine")
