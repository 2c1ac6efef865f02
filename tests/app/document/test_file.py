"""The session file: what was written is read back; what is wrong is told in words, within limits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.display.map_state import Drawing, FitOutput, FitSettings, MapView
from app.display.state import Component, ViewState
from app.document import file as session_file
from app.document.case import Case, Origin, Result, Source
from app.document.encode import encoded
from app.document.file import decode, packed, read, unpacked, write
from app.document.restore import bare_case, pending_of
from app.document.saved import SavedMask, SavedWindow
from app.document.state import Document
from engine.core.errors import FormatError
from engine.core.requests import MaskRequest
from engine.core.types import SamplingMask
from tests.app.stand_in import kspace
from tests.app.test_session import mask, recon


@pytest.fixture
def case():
    """Return a case in which everything that is written differs from its default."""
    sampled = mask(4)
    made = replace(recon(sampled), weights="net-a", provenance={"weights": {"id": "net-a", "sha256": "ab" * 32}})
    times = np.arange(12, dtype=np.float32).reshape(3, 4)
    return Case(
        "case-3",
        "tiny",
        kspace(),
        "tiny.h5",
        ("myoscope phantom cine",),
        Origin(Source.PHANTOM, options={"kind": "cine", "matrix": (32, 24), "snr": 12.5}, simulation=(4, 25.0)),
        ("--axes", "sfyx"),
        request=MaskRequest("gaussian", 4.0, 8, 7, True, {"width": 0.2}),
        mask=sampled,
        results=(Result("net-5", "net", "Network", sampled, made, options={"weight": 3e-7, "deep": True}, stamp=5),),
        view=ViewState(2, 3, Component.PHASE, (0.5, 1.5), error_gain=2.0, profile=(1.0, 2.0, 3.0, 4.0), quarter_turns=1),
        selected="net-5",
        fit=FitSettings("molli3", motion="rigid", times_ms=times, skipped=frozenset({"reference"})),
        map_view=MapView(FitOutput.SD, {"T1": (200.0, 1800.0)}, True, (5, 6)),
        map_selected="reference",
        drawings={1: Drawing(endo=((1.0, 2.0), (3.5, 4.0)), insertion=(9.0, 9.0), level="apical")},
    )


def session_of(*cases, window=None):
    return encoded(Document(cases, cases[0].key), window or SavedWindow(), "0.0", None, {})


def test_what_was_written_is_read_back(case, tmp_path):
    window = SavedWindow(
        workspace="maps", docks={"review": "AAAA"}, panels={"maps.ecv": {"haematocrit": 0.42, "names": ["a", "b"]}}
    )
    write(session_of(case, window=window), tmp_path / "a.myoscope")
    found = read(tmp_path / "a.myoscope")
    assert found.current == "case-3"
    assert found.window == window
    (saved,) = found.cases
    masks = [unpacked(one) for one in found.masks]
    assert len(masks) == 1, "a mask that two parts share is written once"
    back = bare_case(saved, case.data, case.origin, masks)
    for name in (
        "key",
        "title",
        "path",
        "commands",
        "reading",
        "view",
        "selected",
        "map_view",
        "map_selected",
        "drawings",
        "request",
    ):
        assert getattr(back, name) == getattr(case, name), name
    assert back.fit.same(case.fit)
    np.testing.assert_array_equal(back.mask.lines, case.mask.lines)
    assert (back.mask.pattern, back.mask.nominal_acceleration) == ("equispaced", 4.0)
    origin = saved.origin
    assert (origin.source, origin.options, origin.coils, origin.snr) == (
        Source.PHANTOM,
        {"kind": "cine", "matrix": (32, 24), "snr": 12.5},
        4,
        25.0,
    )
    pending = pending_of(saved.results[0], masks)
    assert (pending.key, pending.method, pending.title, pending.slices) == ("net-5", "net", "Network", (0,))
    assert (pending.options, pending.weights, pending.weights_sha256) == ({"weight": 3e-7, "deep": True}, "net-a", "ab" * 32)


def test_numbers_of_numpy_are_written_as_numbers(case, tmp_path):
    """What the window computes (contours, ranges) may come as NumPy's scalars, whatever their type says."""
    drawing = Drawing(endo=((np.float64(1.5), np.float32(2.5)), (np.int64(3), 4.0)), insertion=(np.float64(9.0), 9.0))
    made = replace(case, drawings={np.int64(1): drawing}, map_view=MapView(ranges={"T1": (np.float64(200.0), np.float32(1800.0))}))
    write(session_of(made), tmp_path / "a.myoscope")
    (saved,) = read(tmp_path / "a.myoscope").cases
    assert saved.drawings == {1: Drawing(endo=((1.5, 2.5), (3.0, 4.0)), insertion=(9.0, 9.0))}
    assert saved.map_view.ranges == {"T1": (200.0, 1800.0)}


def test_positions_outside_the_series_are_brought_inside(case):
    saved = session_of(replace(case, view=ViewState(99, -4, window=(2.0, 1.0)), map_view=MapView(pixel=(500, 2)))).cases[0]
    back = bare_case(saved, case.data, case.origin, [case.mask])
    assert (back.view.slice_index, back.view.frame, back.view.window) == (2, 0, None)
    assert back.map_view.pixel is None


def test_the_file_is_readable_text_and_names_no_arrays_of_images(case, tmp_path):
    write(session_of(case), tmp_path / "a.myoscope")
    text = (tmp_path / "a.myoscope").read_text(encoding="utf-8")
    assert json.loads(text)["format"] == "myoscope session"
    assert len(text) < 10_000


@pytest.mark.parametrize("shape", [(1, 32, 1), (5, 33, 1), (3, 7, 11)])
def test_masks_are_packed_whatever_their_size(shape):
    lines = np.random.default_rng(0).random(shape) < 0.4
    lines[0, 0] = True
    one = SamplingMask(lines, "random", 3.0, (2, 5), 11)
    back = unpacked(packed(one))
    np.testing.assert_array_equal(back.lines, lines)
    assert (back.pattern, back.nominal_acceleration, back.acs, back.seed) == ("random", 3.0, (2, 5), 11)


@pytest.mark.parametrize(
    ("shape", "bits"),
    [((0, 8, 1), ""), ((1, 8, 1), "not base 64!"), ((1, 8, 1), "AAAA"), ((1, 2**20, 2**20), ""), ((1, 64, 1), None)],
)
def test_a_damaged_mask_is_told(shape, bits):
    good = packed(mask(4)).bits
    with pytest.raises(FormatError):
        unpacked(SavedMask(pattern="x", shape=shape, bits=good if bits is None else bits))


def test_a_mask_that_inflates_to_gigabytes_takes_no_memory():
    import base64
    import zlib

    bomb = base64.b64encode(zlib.compress(bytes(1 << 24), 9)).decode()
    with pytest.raises(FormatError, match="does not fit its shape"):
        unpacked(SavedMask(pattern="x", shape=(1, 8, 1), bits=bomb))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda d: d.update(format="other"), "no session file"),
        (lambda d: d.update(version=99), "session version 1 to 1 / found 99"),
        (lambda d: d.update(surprise=1), "unknown field `surprise`"),
        (lambda d: d["cases"][0]["view"].update(frame="x"), r"Expected `int`, got `str` - at `\$.cases\[0\].view.frame`"),
        (lambda d: d["cases"][0].pop("title"), "missing required field `title`"),
        (lambda d: d.update(cases=d["cases"] * 2), "two cases of one key"),
        (lambda d: d["cases"][0]["origin"].update(source="elsewhere"), "Invalid enum value"),
        (lambda d: d.update(masks=d["masks"] * 3000), "holds too much"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(case, edit, words):
    values = json.loads(msgspec.json.encode(session_of(case)))
    edit(values)
    with pytest.raises(FormatError, match=words):
        decode(json.dumps(values).encode(), "a.myoscope")


@pytest.mark.parametrize("data", [b"", b"\x89HDF", b"[" * 100_000, b'{"format": "\xff"}', b"{}", b"null"])
def test_what_is_no_session_is_told(data):
    with pytest.raises(FormatError):
        decode(data, "a.myoscope")


def test_every_cut_and_many_flips_are_told_or_read(case):
    """No other kind of error, whatever bytes are changed."""
    data = msgspec.json.format(msgspec.json.encode(session_of(case)))
    rng = np.random.default_rng(1)
    for cut in rng.integers(0, len(data), 60):
        with pytest.raises(FormatError):
            decode(data[:cut], "cut")
    for place in rng.integers(0, len(data), 300):
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(0, 8))
        try:
            found = decode(bytes(changed), "flipped")
            masks = [unpacked(one) for one in found.masks]
            for saved in found.cases:
                bare_case(saved, case.data, case.origin, masks)
        except FormatError:
            continue


def test_a_value_that_cannot_be_is_told(case):
    saved = session_of(replace(case, view=ViewState(region_percentile=400.0))).cases[0]
    with pytest.raises(FormatError, match="region percentile"):
        bare_case(saved, case.data, case.origin, [case.mask])
    with pytest.raises(FormatError, match="a mask is not in the session file"):
        bare_case(session_of(case).cases[0], case.data, case.origin, [])


def test_a_file_that_is_too_large_or_missing_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(session_file, "LARGEST_BYTES", 100)
    (tmp_path / "a.myoscope").write_bytes(bytes(200))
    with pytest.raises(FormatError, match="too large"):
        read(tmp_path / "a.myoscope")
    with pytest.raises(FormatError, match="expected a file / found none"):
        read(tmp_path / "b.myoscope")
    with pytest.raises(FormatError, match="expected a file / found none"):
        read(Path(tmp_path))
