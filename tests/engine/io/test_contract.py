"""What every registered format promises. A new one is tested here by being registered."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from engine import api
from engine.core.errors import EngineError, FormatError
from engine.core.records.entries import Content, Entry
from engine.core.types import KSpaceSeries
from engine.io import FORMATS, OpenOptions, open_series
from engine.io.contract import FOLDER
from engine.io.opening import entries, read
from engine.io.probe import Container, container
from engine.io.recognise import recognise
from tests.engine.io.examples import MAKERS, example, write

NAMES = FORMATS.names()
WRITTEN = [
    (name, content, ending)
    for name in NAMES
    for content, endings in FORMATS.get(name).writes.items()
    for ending in endings or (FOLDER,)
]


def values_of(series):
    """All values of a series: k-space (slice, frame, coil, ky, kx) or images (slice, frame, y, x)."""
    if isinstance(series, KSpaceSeries):
        return np.stack([series.read(index) for index in range(series.shape[0])])
    return series.images


def try_all(path, options=None):
    """List and read ``path``: a right value or an ``EngineError`` with a hint; nothing else. Return whether it was read."""
    found = list(entries(path))
    assert all(entry.hint for entry in found if entry.problem)
    assert all("\n" not in entry.problem + entry.hint for entry in found)
    try:
        values_of(open_series(path, options))
    except EngineError as error:
        refused = error
    else:
        return True
    assert refused.hint
    assert "\n" not in refused.message + refused.hint
    return False


def test_precedence_is_explicit():
    given = [FORMATS.get(name).precedence for name in NAMES]
    assert len(set(given)) == len(given)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_person_is_told(name):
    one = FORMATS.get(name)
    assert one.name == name
    assert one.title
    assert one.description.endswith(".")
    assert one.suffixes
    assert all(pattern.startswith("*.") for pattern in one.suffixes)
    assert all(ending == FOLDER or ending.startswith(".") for endings in one.writes.values() for ending in endings)
    assert type(one).__doc__


@pytest.mark.parametrize("name", NAMES)
def test_its_own_file_is_recognised_and_listed(name, tmp_path):
    path, values = example(name, tmp_path)
    found = recognise(path)
    assert (found.format.name, found.failures) == (name, ())
    (entry,) = (entry for entry in entries(path) if entry.is_series)
    assert (entry.format, entry.path) == (name, path)
    assert entry.title
    assert path in entry.files
    assert entry.size_bytes > 0
    series = read(entry)
    if entry.content is not Content.MAPS:
        assert tuple(entry.axes.values()) == series.shape
        assert entry.content is (
            Content.KSPACE
            if isinstance(series, KSpaceSeries)
            else Content.RECONSTRUCTION
            if "method" in series.attributes
            else Content.IMAGES
        )
    assert entry.kind == series.kind
    if values is not None:
        np.testing.assert_allclose(values_of(series), values, rtol=1e-6)
        assert entry.size_bytes in (values.nbytes, 2 * values.nbytes)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_else_takes_its_file(name, tmp_path):
    path, _ = example(name, tmp_path)
    marks = {other: FORMATS.get(other).sniff(path) for other in NAMES}
    assert all(0 <= mark <= 1 for mark in marks.values())
    assert max(marks, key=lambda other: (marks[other], FORMATS.get(other).precedence)) == name
    assert [other for other, mark in marks.items() if mark == marks[name]] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_an_error_with_a_hint(name, tmp_path, rng):
    path, _ = example(name, tmp_path)
    whole, values = path.read_bytes(), values_of(open_series(path))
    sizes = {0, 1, 100, 130, 520, 600, len(whole) // 2, len(whole) - 1, *rng.integers(0, len(whole), 6)}
    for size in sorted(size for size in sizes if size < len(whole)):
        path.write_bytes(whole[:size])
        if try_all(path):  # the end of a compressed stream is a checksum: without it the values are still there
            assert size > len(whole) - 8, f"{size} of {len(whole)} bytes were read"
            np.testing.assert_array_equal(values_of(open_series(path)), values)
    for _ in range(30):
        data = bytearray(whole)
        for at in rng.integers(0, min(len(data), 4000), 8):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        try_all(path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(128, 256)) * 20, b"\0" * 5000])
def test_a_file_of_its_name_with_something_else_in_it(name, content, tmp_path):
    for pattern in FORMATS.get(name).suffixes:
        path = tmp_path / pattern.replace("*", "a")
        path.write_bytes(content)
        assert not try_all(path)


@pytest.mark.parametrize("name", NAMES)
def test_folders_are_not_taken_for_files(name, tmp_path):
    for pattern in FORMATS.get(name).suffixes:
        folder = tmp_path / pattern.replace("*", "a")
        folder.mkdir()
        assert FORMATS.get(name).sniff(folder) == 0
        with pytest.raises(FormatError, match="holds nothing that can be opened"):
            open_series(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_with_one_series_opens_it(name, tmp_path):
    inner = tmp_path / "subject" / "scan"
    inner.mkdir(parents=True)
    path, _ = example(name, inner)
    (tmp_path / "README.txt").write_text("about")
    np.testing.assert_array_equal(values_of(open_series(tmp_path)), values_of(open_series(path)))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
@pytest.mark.parametrize("name", NAMES)
def test_a_link_is_the_file_it_leads_to(name, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    path, _ = example(name, tmp_path / "real")
    link = tmp_path / "links" / path.name
    link.symlink_to(path)
    np.testing.assert_array_equal(values_of(open_series(link)), values_of(open_series(path)))
    link.unlink()
    link.symlink_to(tmp_path / "nothing")
    with pytest.raises(FormatError, match="does not exist"):
        open_series(link)
    link.unlink()
    link.symlink_to(tmp_path)  # a folder above: followed for ever, were it followed
    assert [entry.problem for entry in entries(tmp_path / "links")] == ["a link to a folder is not followed"]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_key_names_what_there_is(name, tmp_path):
    path, _ = example(name, tmp_path)
    if name == "nifti":  # one image a file: there is nothing to choose from
        np.testing.assert_array_equal(values_of(open_series(path, OpenOptions(key="nope"))), values_of(open_series(path)))
        return
    with pytest.raises(EngineError, match="nope") as caught:
        open_series(path, OpenOptions(key="nope"))
    assert caught.value.hint


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_or_no_file(name, tmp_path):
    path, _ = example(name, tmp_path)
    path.unlink()
    with pytest.raises(FormatError, match="does not exist"):
        open_series(path)
    with pytest.raises(EngineError):
        read(Entry(path, name))
    if sys.platform != "win32":
        os.mkfifo(path)
        with pytest.raises(FormatError, match="a device or a pipe"):
            open_series(path)
        assert ["pipe" in entry.problem for entry in entries(path.parent) if entry.path == path] == [True]


# --- sizes, links and virtual data sets -------------------------------------------------------------------------------


def hostile(path: Path) -> Path | None:
    """Rewrite a file so that its header claims terabytes, keeping its layout; None for a container without such a header."""
    kind = container(path)
    if kind is Container.HDF5:
        with h5py.File(path, "a") as file:
            found = []
            file.visititems(
                lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) and item.ndim > 2 else None
            )
            for name, item in found:
                dtype, attrs, rank = item.dtype, dict(item.attrs), item.ndim
                del file[name]
                made = file.create_dataset(name, (3000,) * rank, dtype)
                made.attrs.update(attrs)
        return path
    if kind is Container.NPY:
        head = np.lib.format.header_data_from_array_1_0(np.zeros((2, 2)))
        with path.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, {**head, "shape": (2**20, 2**20)})
            stream.write(bytes(64))
        return path
    if kind is Container.ZIP:
        import io
        import zipfile

        buffer = io.BytesIO()
        head = np.lib.format.header_data_from_array_1_0(np.zeros((2, 2)))
        np.lib.format.write_array_header_1_0(buffer, {**head, "shape": (2**14, 2**14, 2**12)})
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", buffer.getvalue() + bytes(64))
        return path
    if path.name.endswith(".nii.gz"):
        data = bytearray(gzip.decompress(path.read_bytes()))
        data[40:48] = np.array([3, 32767, 32767, 32767], "<i2").tobytes()
        path.write_bytes(gzip.compress(bytes(data)))
        return path
    if kind is Container.MATLAB5:
        from scipy.io import savemat

        savemat(path, {"images": np.zeros((2, 3, 4))})
        data = path.read_bytes()
        sizes = np.array([2, 3, 4], "<i4").tobytes()
        assert data.count(sizes) == 1
        path.write_bytes(data.replace(sizes, np.array([2**12, 2**14, 2**14], "<i4").tobytes()))
        return path
    return None


@pytest.mark.parametrize("name", NAMES)
def test_terabytes_that_are_claimed_are_refused_before_memory_is_taken(name, tmp_path):
    path, _ = example(name, tmp_path)
    if hostile(path) is None:
        pytest.skip(f"what the header of a {name} file can claim is not known here: test it beside the format")
    options = OpenOptions(axes="syx") if name in ("npz", "npy", "mat") else None
    if name == "npy":
        options = OpenOptions(axes="yx")
    assert not try_all(path, options)


HDF5 = [name for name in NAMES if name in ("cmrxrecon", "hdf5", "myoscope_h5", "myoscope_maps")]


def each_dataset_replaced(path: Path, make) -> None:
    """Move every data set of more than two axes out of an HDF5 file and put what ``make`` returns in its place."""
    other = path.with_name("elsewhere.bin")
    with h5py.File(path, "a") as file, h5py.File(other, "w") as away:
        found = []
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) and item.ndim > 2 else None)
        for name in found:
            attrs = dict(file[name].attrs)
            file.copy(file[name], away, name.replace("/", "_"))
            shape, dtype = file[name].shape, file[name].dtype
            del file[name]
            make(file, name, other, name.replace("/", "_"), shape, dtype)
            if not isinstance(file.get(name, getlink=True), h5py.ExternalLink):
                file[name].attrs.update(attrs)


def as_link(file, name, other, key, shape, dtype):
    file[name] = h5py.ExternalLink(other.name, key)


def as_virtual(file, name, other, key, shape, dtype):
    layout = h5py.VirtualLayout(shape, dtype)
    layout[...] = h5py.VirtualSource(str(other), key, shape, dtype)
    file.create_virtual_dataset(name, layout)


def as_external(file, name, other, key, shape, dtype):
    file.create_dataset(name, shape, dtype, external=[(str(other), 0, h5py.h5f.UNLIMITED)])


@pytest.mark.parametrize("name", HDF5)
@pytest.mark.parametrize("make", [as_link, as_virtual, as_external])
def test_values_outside_the_file_are_not_read(name, make, tmp_path):
    path, _ = example(name, tmp_path)
    each_dataset_replaced(path, make)
    assert not try_all(path)


@pytest.mark.parametrize("name", HDF5)
def test_links_and_virtual_data_sets_inside_the_file_are_read(name, tmp_path):
    path, _ = example(name, tmp_path)
    before = values_of(open_series(path))

    def inside(file, key, *_):
        hidden = "aside_" + key.replace("/", "_")
        file.move(key, hidden)
        file[key] = h5py.SoftLink("/" + hidden)

    with h5py.File(path, "a") as file:
        found = []
        file.visititems(lambda key, item: found.append(key) if isinstance(item, h5py.Dataset) and item.ndim > 3 else None)
        for key in found:
            inside(file, key)
    options = OpenOptions(key=found[0]) if name == "hdf5" else None
    np.testing.assert_array_equal(values_of(open_series(path, options)), before)


@pytest.mark.parametrize("name", HDF5)
def test_links_in_circles_and_groups_in_themselves(name, tmp_path):
    path, _ = example(name, tmp_path)
    with h5py.File(path, "a") as file:
        deep = file.create_group("deep")
        deep["deep"] = deep
        file["round"] = h5py.SoftLink("/about")
        file["about"] = h5py.SoftLink("/round")
    assert try_all(path)


# --- writing ----------------------------------------------------------------------------------------------------------


def check_geometry(found, expected, loses):
    """All that the layout has a place for is there, and nothing is made up for the rest."""
    if "voxel size" in loses:
        assert found.voxel_mm is None
    else:
        np.testing.assert_allclose(found.voxel_mm, expected.voxel_mm, rtol=1e-6)
    assert found.known == ("orientation" not in loses)
    if found.known:
        np.testing.assert_allclose(found.planes, expected.planes, atol=1e-4)
        assert found.frame_of_reference == expected.frame_of_reference
    if "phase encoding" not in loses:
        assert found.phase_encode == expected.phase_encode


@pytest.mark.parametrize(("name", "content", "ending"), WRITTEN)
def test_what_is_written_comes_back(name, content, ending, tmp_path):
    """The phantom has no symmetry: any flip, transposition or change of scale fails."""
    made = MAKERS[content]()
    path = write(FORMATS.get(name), content, tmp_path, ending)
    series = open_series(path)
    assert series.format == name
    loses = FORMATS.get(name).loses
    check_geometry(series.geometry, made.geometry, loses)
    if isinstance(series, KSpaceSeries):
        assert series.acquisition.certain == ("sampling" not in loses)
    if content is Content.RECONSTRUCTION:
        np.testing.assert_array_equal(series.images, made.image)
    elif content is Content.KSPACE:
        np.testing.assert_array_equal(values_of(series), values_of(made))
    elif content is Content.IMAGES:
        np.testing.assert_allclose(series.images, made.images, rtol=1e-6)
    elif name == "myoscope_maps":
        np.testing.assert_array_equal(api.open_maps(path).main.values, made.main.values)
    else:
        np.testing.assert_allclose(series.images[:, 0] * 1000, made.main.values, rtol=1e-5)
    if "kind" not in loses:
        assert series.kind == made.kind


@pytest.mark.parametrize(("name", "content", "ending"), WRITTEN)
def test_a_failed_writing_leaves_the_old_file_and_nothing_else(name, content, ending, tmp_path, monkeypatch):
    first = write(FORMATS.get(name), content, tmp_path, ending)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert first in before

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr("engine.io.cmrxrecon_write.check_space", full)
    with pytest.raises(EngineError, match="disk is full"):
        write(FORMATS.get(name), content, tmp_path, ending)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("name", NAMES)
def test_what_it_does_not_write_is_refused(name, tmp_path):
    one = FORMATS.get(name)
    for content, make in MAKERS.items():
        if content in one.writes:
            continue
        with pytest.raises(EngineError, match=r"cannot be written as|is not written") as caught:
            api.check_output(content, tmp_path / "a.h5", format_name=name)
        assert caught.value.hint
        if not one.writes:
            with pytest.raises(EngineError, match="is not written"):
                one.write(make(), tmp_path / "a.h5", None)
    assert list(tmp_path.iterdir()) == []
