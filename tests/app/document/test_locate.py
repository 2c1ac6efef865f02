"""Files are known again by their content, and found where they were moved to."""

from __future__ import annotations

import hashlib

import pytest

from app.document import locate
from app.document.locate import Verdict, find, fingerprint, matches, reference


@pytest.fixture
def scan(tmp_path):
    file = tmp_path / "data" / "scan.h5"
    file.parent.mkdir()
    file.write_bytes(b"k-space" * 100)
    return file


def test_a_small_file_is_hashed_whole(scan):
    assert fingerprint(scan) == (700, "whole", hashlib.sha256(b"k-space" * 100).hexdigest())


def test_of_a_large_file_parts_are_hashed_that_differ_between_acquisitions(scan, monkeypatch):
    monkeypatch.setattr(locate, "WHOLE_BYTES", 100)
    monkeypatch.setattr(locate, "PART_BYTES", 10)
    monkeypatch.setattr(locate, "PARTS", 4)
    size, how, digest = fingerprint(scan)
    data = scan.read_bytes()
    expected = hashlib.sha256(b"".join(data[start : start + 10] for start in (0, 230, 460, 690)))
    assert (size, how, digest) == (700, "parts", expected.hexdigest())
    scan.write_bytes(data[:-1] + b"!")
    assert fingerprint(scan)[2] != digest, "first and last bytes are always among the parts"


def test_a_file_that_is_where_it_was(scan, tmp_path):
    kept = reference(scan, tmp_path)
    assert kept.beside == "data/scan.h5"
    assert find(kept, tmp_path).verdict is Verdict.SAME
    assert find(kept, tmp_path).path == scan


@pytest.mark.parametrize("place", ["moved/data/scan.h5", "moved/scan.h5"])
def test_a_file_that_moved_with_the_session_or_beside_it_is_found(scan, tmp_path, place):
    kept = reference(scan, tmp_path)
    target = tmp_path / place
    target.parent.mkdir(parents=True)
    scan.rename(target)
    found = find(kept, tmp_path / "moved")
    assert (found.path, found.verdict) == (target, Verdict.SAME)


def test_another_content_is_told_and_the_right_one_elsewhere_wins(scan, tmp_path):
    kept, data = reference(scan, tmp_path), scan.read_bytes()
    scan.write_bytes(b"other")
    assert find(kept, tmp_path).verdict is Verdict.CHANGED
    assert find(kept, tmp_path).path == scan
    (tmp_path / "scan.h5").write_bytes(data)
    assert find(kept, tmp_path).path == tmp_path / "scan.h5"


def test_a_missing_file_is_missing(scan, tmp_path):
    kept = reference(scan, None)
    scan.unlink()
    assert find(kept, tmp_path).verdict is Verdict.MISSING
    assert not matches(kept, scan)
    assert reference(scan, tmp_path) is None


def test_hashes_are_remembered_until_the_file_changes(scan, monkeypatch):
    known, read = {}, []
    monkeypatch.setattr(locate, "fingerprint", lambda path: (read.append(path), fingerprint(path))[1])
    first = reference(scan, None, known)
    assert reference(scan, None, known) == first
    assert len(read) == 1
    scan.write_bytes(b"longer than before" * 100)
    assert reference(scan, None, known) != first
    assert len(read) == 2


def test_the_home_folder_is_not_named(scan, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    kept = reference(scan, None)
    assert kept.path == "~/data/scan.h5"
    assert find(kept, tmp_path / "elsewhere").path == scan


def test_a_folder_is_known_by_its_files(scan, tmp_path):
    kept = reference(scan.parent, tmp_path)
    assert kept.hashed == "folder"
    assert find(kept, tmp_path).verdict is Verdict.SAME
    (scan.parent / "more.dcm").write_bytes(b"x")
    assert find(kept, tmp_path).verdict is Verdict.CHANGED
