"""A file is replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys

import pytest

from engine.core.errors import OutputError
from engine.core.files import check_folder_writable, check_writable, replacing, translate


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


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full"),
        (OSError("unable to flush (errno = 28, error message = 'No space left on device')"), "the disk is full"),
        (OSError(errno.EFBIG, "x"), "larger than may be written here"),
        (
            OSError("unable to extend file properly, errno = 27, error message = 'File too large'"),
            "larger than may be written here",
        ),
        (OSError(errno.EDQUOT, "x"), "your quota is used up"),
        (OSError("write failed (errno = 122, error message = 'Disk quota exceeded')"), "your quota is used up"),
        (OSError(errno.EROFS, "x"), "no permission"),
        (OSError("driver failed (errno = 13, error message = 'Permission denied')"), "no permission"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the numbers in h5py's words are those of the system")
def test_what_the_system_says_is_told_in_words(error, message, tmp_path):
    told = translate(error, tmp_path / "a.h5")
    assert message in told.message
    assert "errno" not in told.message
    assert told.hint


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")
def test_a_file_has_the_usual_permissions_and_the_umask_is_left_alone(tmp_path, monkeypatch):
    """It can only be read by setting it, and it belongs to all threads: two that save at once would leave it at 0."""
    usual = os.umask(0o022)
    os.umask(usual)

    def touched(_):
        raise AssertionError("the umask was set")

    monkeypatch.setattr(os, "umask", touched)
    with replacing(tmp_path / "a.h5") as temporary:
        temporary.write_text("new")
    assert stat.S_IMODE((tmp_path / "a.h5").stat().st_mode) == 0o666 & ~usual
