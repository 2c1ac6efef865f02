"""A file is replaced whole or not at all."""

from __future__ import annotations

import errno
import os

import pytest

from engine.core.errors import OutputError
from engine.core.files import check_writable, replacing


def test_replaces_whole(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="half-way"), replacing(target) as temporary:
        temporary.write_text("broken")
        raise RuntimeError("half-way")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_missing_folder_and_folder_as_file(tmp_path):
    with pytest.raises(OutputError, match="does not exist"), replacing(tmp_path / "no" / "a.h5"):
        pass
    with pytest.raises(OutputError, match="it is a folder"):
        check_writable(tmp_path)
    with pytest.raises(OutputError, match="does not exist"):
        check_writable(tmp_path / "no" / "a.h5")


def test_full_disk_is_said(tmp_path):
    with pytest.raises(OutputError, match="the disk is full"), replacing(tmp_path / "a.h5"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert os.listdir(tmp_path) == []
