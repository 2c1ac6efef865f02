"""A file is replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys

import pytest

from engine.core.errors import OutputError
from engine.core.files import check_folder_writable, check_writable, replacing


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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no device files in folders")
def test_devices_and_pipes_are_not_replaced(tmp_path):
    """Renaming a result over /dev/null would put a plain file in its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match="not a regular file"):
        check_writable(pipe)
    with pytest.raises(OutputError, match="not a regular file"), replacing(pipe):
        pass
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_inputs_are_not_overwritten_and_names_must_be_names(tmp_path):
    source = tmp_path / "in.h5"
    source.write_text("measured")
    (tmp_path / "link.h5").hardlink_to(source)
    for name in ("in.h5", "link.h5"):
        with pytest.raises(OutputError, match="is the input file itself"):
            check_writable(tmp_path / name, tmp_path / "other.h5", source)
    check_writable(tmp_path / "out.h5", source)
    for name, message in (("", "without a name"), ("x" * 300, "the name is too long")):
        with pytest.raises(OutputError, match=message):
            check_writable(name)
    assert sorted(os.listdir(tmp_path)) == ["in.h5", "link.h5"]


def test_the_longest_name_can_be_written(tmp_path):
    with replacing(tmp_path / f"{'x' * 250}.h5") as temporary:
        temporary.write_text("new")
    assert os.listdir(tmp_path) == [f"{'x' * 250}.h5"]


def test_folders_are_checked_before_the_work(tmp_path):
    (tmp_path / "file").write_text("x")
    check_folder_writable(tmp_path / "new")
    check_folder_writable(tmp_path)
    with pytest.raises(OutputError, match="it is a file"):
        check_folder_writable(tmp_path / "file")
    with pytest.raises(OutputError, match="does not exist"):
        check_folder_writable(tmp_path / "no" / "new")
    with pytest.raises(OutputError, match="without a name"):
        check_folder_writable("")
    assert os.listdir(tmp_path) == ["file"]
