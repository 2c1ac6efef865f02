from __future__ import annotations

import collections
import gc
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from app.display.frames import ERROR, IMAGE, PROFILE, REFERENCE, ColorScale
from app.display.layers import LineLayer, MarkerLayer, OutlineLayer, first
from app.display.snapshot import SessionSnapshot
from app.display.state import Component, ErrorMode, ViewState
from app.display.window import auto_window
from app.review import rows
from app.review.resolve import EMPTY_HINT, READY_HINT, resolve
from engine.core.types import Region
from tests.app.display.build import SHAPE, entry, mask, score, series, snapshot


def test_reference_first_then_results_in_the_same_order_everywhere():
    display = resolve(snapshot(3), ViewState())
    keys = [REFERENCE, "r0", "r1", "r2"]
    for row, role in ((display.panes, IMAGE), (display.row(ERROR), ERROR), (display.row(PROFILE), PROFILE)):
        assert [frame.key for frame in row] == keys
        assert {frame.row for frame in row} == {role}


def test_images_are_the_magnitudes_of_the_slice_and_frame():
    data = snapshot(1)
    display = resolve(data, ViewState(slice_index=1, frame=3))
    np.testing.assert_array_equal(display.panes[0].image, np.abs(data.reference[1, 3]))
    np.testing.assert_array_equal(display.panes[1].image, np.abs(data.results[0].reconstruction.image[1, 3]))
    assert display.panes[0].image.dtype == np.float32
    assert (display.sizes.slices, display.sizes.frames, display.sizes.height, display.sizes.width) == SHAPE


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_one_window_from_the_reference_for_all_panes_and_frames(scale):
    data = snapshot(2, scale)
    expected = auto_window(data.reference[1])
    for frame in range(SHAPE[1]):
        display = resolve(data, ViewState(slice_index=1, frame=frame))
        assert {pane.picture.levels for pane in display.panes} == {expected}
    assert display.automatic
    chosen = resolve(data, ViewState(window=(0.1 * scale, 0.3 * scale)))
    assert {pane.picture.levels for pane in chosen.panes} == {(0.1 * scale, 0.3 * scale)}
    assert not chosen.automatic


def test_error_is_true_and_its_scale_ends_at_the_window_over_the_gain():
    data = snapshot(2)
    display = resolve(data, ViewState(error_gain=10.0))
    assert display.row(ERROR)[0].image is None
    for index in (0, 1):
        frame = display.row(ERROR)[1 + index]
        np.testing.assert_allclose(frame.image, (0.1 + 0.1 * index) * np.abs(data.reference[0, 0]), rtol=1e-4)
        assert frame.picture.levels == (0.0, display.window[1] / 10)
        assert display.rows[1].scale == ColorScale("error", frame.picture.levels, "error ×10")
        assert frame.picture.colormap == "error"


def test_signed_error_is_symmetric():
    data = snapshot(0, results=(entry("less", (series() * 0.5).astype(np.complex64)),))
    display = resolve(data, ViewState(error_mode=ErrorMode.SIGNED))
    frame = display.row(ERROR)[1]
    np.testing.assert_allclose(frame.image, -0.5 * np.abs(data.reference[0, 0]), rtol=1e-5)
    assert frame.picture.levels[0] == -frame.picture.levels[1]
    assert frame.picture.colormap == "berlin"
    assert resolve(data, ViewState(error_mode=ErrorMode.NONE)).row(ERROR) == ()


def test_phase_is_fixed_and_cyclic_and_its_error_wraps():
    turned = (series() * np.exp(1j * (np.pi - 0.1))).astype(np.complex64)
    data = snapshot(0, results=(entry("turned", turned),))
    display = resolve(data, ViewState(component=Component.PHASE, error_mode=ErrorMode.SIGNED, error_gain=1))
    assert {pane.picture.levels for pane in display.panes} == {(-math.pi, math.pi)}
    assert display.panes[0].picture.colormap == "romaO"
    np.testing.assert_allclose(display.row(ERROR)[1].image, np.pi - 0.1, rtol=1e-5)


def test_real_and_imaginary_are_symmetric():
    data = snapshot(1)
    for component, part in ((Component.REAL, np.real), (Component.IMAGINARY, np.imag)):
        display = resolve(data, ViewState(component=component))
        assert {pane.picture.levels for pane in display.panes} == {(-display.window[1], display.window[1])}
        np.testing.assert_array_equal(display.panes[0].image, part(data.reference[0, 0]))


def test_kspace_has_one_scale_and_no_line():
    data = snapshot(1)
    display = resolve(data, ViewState(component=Component.KSPACE))
    assert {pane.picture.levels for pane in display.panes} == {(-80.0, 0.0)}
    assert display.panes[0].image.max() == pytest.approx(0, abs=1e-4)
    # The result is 1.1 times the reference: 0.83 dB more in all samples, and an error 20 dB below the reference.
    np.testing.assert_allclose(display.panes[1].image - display.panes[0].image, 20 * np.log10(1.1), atol=1e-3)
    np.testing.assert_allclose(display.row(ERROR)[1].image - display.panes[0].image, -20, atol=1e-2)
    assert first(display.panes[0].layers, LineLayer) is None
    assert first(display.panes[0].layers, OutlineLayer) is None


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_orientation_turns_pictures_errors_and_outline_alike(turns, flipped):
    data = snapshot(1)
    plain = resolve(data, ViewState())
    turned = resolve(data, ViewState(quarter_turns=turns, flipped=flipped))
    for before, after in ((plain.panes[1], turned.panes[1]), (plain.row(ERROR)[1], turned.row(ERROR)[1])):
        np.testing.assert_array_equal(after.image, turned.orientation.apply(before.image))
    np.testing.assert_array_equal(
        first(turned.panes[0].layers, OutlineLayer).region, turned.orientation.apply(data.region.pixels[0])
    )
    np.testing.assert_array_equal(turned.row(PROFILE)[1].image, plain.row(PROFILE)[1].image)


def test_profiles_share_line_levels_and_mark_the_frame():
    data = snapshot(2)
    display = resolve(data, ViewState(frame=2, profile=(1, 3, 7, 3)))
    assert first(display.panes[0].layers, LineLayer).line == (1, 3, 7, 3)
    np.testing.assert_allclose(display.row(PROFILE)[0].image, np.abs(data.reference[0, :, 3, 1:8]), rtol=1e-6)
    np.testing.assert_allclose(display.row(PROFILE)[2].image, 1.2 * np.abs(data.reference[0, :, 3, 1:8]), rtol=1e-5)
    assert {frame.picture.levels for frame in display.row(PROFILE)} == {display.window}
    assert {first(frame.layers, MarkerLayer) for frame in display.row(PROFILE)} == {MarkerLayer(2, SHAPE[1])}
    assert resolve(data, ViewState(show_profile=False)).row(PROFILE) == ()


def test_same_view_gives_the_same_frames():
    data, view = snapshot(2), ViewState(frame=1)
    one, two = resolve(data, view), resolve(data, replace(view))
    assert [row.name for row in one.rows] == [IMAGE, ERROR, PROFILE]
    assert one.rows == two.rows
    other = resolve(data, replace(view, frame=2))
    assert one.panes[0] != other.panes[0]
    assert one.row(PROFILE)[0].image is other.row(PROFILE)[0].image  # only the mark moved


def test_only_the_changed_result_differs():
    data = snapshot(3)
    before = resolve(data, ViewState())
    new = entry("r1", series(seed=5))
    after = resolve(replace(data, results=(data.results[0], new, data.results[2])), ViewState())
    assert [a == b for a, b in zip(before.panes, after.panes, strict=True)] == [True, True, False, True]


def test_cache_lets_removed_results_go():
    from app.display.scene import CACHE

    CACHE.clear()
    data = snapshot(2)
    resolve(data, ViewState())
    assert CACHE.bytes > 0
    del data
    gc.collect()
    assert len(CACHE) == 0


def test_positions_are_kept_inside():
    display = resolve(snapshot(1), ViewState(slice_index=99, frame=-3, profile=(-5, 2, 100, 2)))
    assert (display.slice_index, display.frame) == (1, 0)
    assert first(display.panes[0].layers, LineLayer).line == (0, 2, 8, 2)


def test_result_of_one_slice_is_laid_beside_that_slice():
    image = series()
    data = snapshot(0, results=(entry("one", np.ascontiguousarray(image[1:2]), slices=(1,)),))
    there = resolve(data, ViewState(slice_index=1, frame=2))
    np.testing.assert_array_equal(there.panes[1].image, there.panes[0].image)
    assert there.row(ERROR)[1].image.max() == 0
    missing = resolve(data, ViewState(slice_index=0))
    assert missing.panes[1].image is None
    assert "Slice 1 is not" in missing.panes[1].message
    assert missing.row(ERROR)[1].image is None


def test_reference_of_chosen_slices():
    image = series()[:1]
    data = snapshot(0, reference=image, results=(entry("one", image, slices=(7,)),))
    display = resolve(data, ViewState())
    assert display.sizes.slices == 1
    np.testing.assert_array_equal(display.panes[1].image, display.panes[0].image)


def test_reference_that_is_not_computed_yet_is_no_black_image():
    data = snapshot(1, reference_slices=frozenset({0}))
    there = resolve(data, ViewState(slice_index=0))
    assert there.row(ERROR)[1].image is not None
    display = resolve(data, ViewState(slice_index=1))
    assert display.panes[0].image is None
    assert "Slice 2 is not" in display.panes[0].message
    assert "not computed yet" in display.row(ERROR)[1].message
    assert display.row(PROFILE)[0].image is None
    assert display.window == auto_window(data.results[0].reconstruction.image[1])
    nothing = resolve(snapshot(0, reference_slices=frozenset()), ViewState())
    assert nothing.panes[0].image is None
    assert nothing.window == (0.0, 1.0)


def test_preview_shows_the_frames_that_are_there():
    image = series()
    preview = entry("preview", np.ascontiguousarray(image[:, 2:3]), frames=(2,), preview=True)
    data = snapshot(0, results=(preview,))
    here = resolve(data, ViewState(frame=2))
    np.testing.assert_array_equal(here.panes[1].image, here.panes[0].image)
    assert "preview" in here.panes[1].badges
    assert "Frame 5 is not" in resolve(data, ViewState(frame=4)).panes[1].message
    assert here.row(PROFILE)[0].image.shape[0] == 5
    assert here.row(PROFILE)[1].image is None, "one frame stretched over the height of five would show what was never seen"
    assert here.row(PROFILE)[1].message == "1 of 5 frames"


def test_other_size_is_said_and_not_compared():
    data = snapshot(0, results=(entry("small", series(shape=(2, 5, 6, 6))),))
    pane = resolve(data, ViewState()).panes[1]
    assert pane.image is None
    assert "6 × 6 pixels, not 7 × 9" in pane.message


def test_not_a_number_is_shown_and_counted():
    image = np.array(series())
    image[0, 0, 1, 2:5] = np.nan
    data = snapshot(0, results=(entry("bad", image, title="Bad"),))
    display = resolve(data, ViewState())
    assert display.panes[1].picture.invalid == 3
    assert "3 invalid pixels" in display.panes[1].badges
    assert display.messages[0] == "3 of 63 pixels of Bad are not numbers."
    assert display.row(ERROR)[1].picture.invalid == 3
    assert resolve(data, ViewState(frame=1)).messages == ()


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_constant_data(value):
    image = np.full(SHAPE, value, np.complex64)
    for component in Component:
        display = resolve(SessionSnapshot("flat", image, (entry("same", image),)), ViewState(component=component))
        for frame in (*display.panes, *display.row(ERROR)):
            assert frame.picture.levels[1] > frame.picture.levels[0]


def test_weighted_frames_tell_their_time():
    data = replace(snapshot(1), times_ms=np.tile(np.array([[118.0, 201.5, 1118.0]], np.float32), (9, 1)), time_name="TI")
    assert resolve(data, ViewState(frame=1)).panes[0].lines[1].endswith("frame 2, TI 201.5 ms")
    assert resolve(replace(data, time_name=""), ViewState(frame=1)).panes[0].lines[1].endswith("frame 2")


def test_whole_sentences_do_not_stand_on_the_picture():
    said = "voxel z is the slice thickness: the gap between slices is not stored"
    panes = resolve(snapshot(1, notes=("simulated coils", said)), ViewState()).panes
    assert panes[0].badges == ("simulated coils",)
    assert said not in panes[1].badges


def test_badges_notes_and_staleness():
    data = snapshot(2, notes=("simulated coils",), mask=mask(2.0))
    display = resolve(data, ViewState())
    assert display.panes[0].badges == ("simulated coils",)
    assert display.panes[1].badges[0].startswith("stale: made with R 4")
    fresh = resolve(replace(data, mask=data.results[0].reconstruction.mask), ViewState())
    assert fresh.panes[1].badges == ()
    alone = resolve(replace(data, reference=None, mask=None), ViewState())
    assert alone.panes[0].badges == ("simulated coils",)


def test_scores_of_the_chosen_region_and_how_they_were_made():
    scores = {("psnr", "whole"): score("psnr", 30.0), ("psnr", "dynamic"): score("psnr", 20.0, "dynamic")}
    data = snapshot(0, results=(entry("a", series(), scores=scores),))
    assert resolve(data, ViewState()).panes[1].lines == ("PSNR 30.0 dB", "whole image")
    pane = resolve(data, ViewState(score_region="dynamic")).panes[1]
    assert pane.lines == ("PSNR 20.0 dB", "dynamic region")
    assert "data range 1.00" in pane.details
    assert "mean over slices" in pane.details


def test_outline_can_be_hidden_and_must_fit():
    data = snapshot(1)
    assert first(resolve(data, ViewState(show_region=False)).panes[0].layers, OutlineLayer) is None
    other = Region(np.ones((1, 3, 3), bool), "other")
    assert first(resolve(replace(data, region=other), ViewState()).panes[0].layers, OutlineLayer) is None


def test_without_a_reference():
    data = replace(snapshot(2), reference=None)
    display = resolve(data, ViewState())
    assert [pane.key for pane in display.panes] == ["r0", "r1"]
    assert display.row(ERROR) == ()
    assert {pane.picture.levels for pane in display.panes} == {auto_window(data.results[0].reconstruction.image[0])}
    assert "The window is that of r0." in display.messages


def test_nothing_to_show_says_what_to_do():
    assert resolve(SessionSnapshot(), ViewState()).hint == EMPTY_HINT
    assert resolve(SessionSnapshot("case"), ViewState()).hint == READY_HINT
    assert resolve(snapshot(0), ViewState()).hint == ""


def test_pixel_aspect_from_the_voxel():
    data = snapshot(1, voxel_mm=(8.0, 3.0, 1.5))
    assert resolve(data, ViewState()).pixel_aspect == 2.0
    assert resolve(data, ViewState(quarter_turns=1)).pixel_aspect == 0.5
    assert resolve(snapshot(1), ViewState()).pixel_aspect == 1.0


def test_a_cine_that_comes_round_again_is_looked_up(monkeypatch):
    made = []

    def counted(name):
        original = getattr(rows, name)
        monkeypatch.setattr(rows, name, lambda *args, **kwargs: made.append(name) or original(*args, **kwargs))

    for name in ("component_of", "sample", "complex_error"):
        counted(name)
    shape = (1, 12, 32, 32)
    reference = series(shape=shape)
    results = tuple(entry(f"r{i}", (reference * np.float32(1 + i / 10)).astype(np.complex64)) for i in range(3))
    data = snapshot(0, reference=reference, results=results, region=None)
    shown = [resolve(data, ViewState(frame=frame)) for frame in range(12)]
    assert collections.Counter(made) == {"component_of": 4 * 12, "sample": 4}, "each picture once, each profile for all frames"
    made.clear()
    again = [resolve(data, ViewState(frame=frame)) for frame in range(12)]
    assert not made
    assert [display.rows for display in again] == [display.rows for display in shown]


def test_display_needs_no_qt_torch_or_scipy():
    code = (
        "import sys, app.review.resolve, app.display.cursor, app.display.layout, app.display.colors, app.display.camera;"
        "bad = {'PySide6', 'pyqtgraph', 'torch', 'scipy'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
