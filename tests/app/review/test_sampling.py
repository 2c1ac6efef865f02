"""Panel to mask to preview; late answers are dropped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtWidgets import QDoubleSpinBox, QLabel, QSlider, QSpinBox

from engine.core.requests import MaskRequest
from engine.core.types import SamplingMask
from tests.app.finding import find
from tests.app.stand_in import images, kspace


def settled(window):
    return lambda: not window.runner.active() and not window.sampling.pending


def test_a_series_gets_a_mask_and_a_preview_of_all_frames(loaded, engine, qtbot):
    qtbot.waitUntil(lambda: loaded.session.current.preview is not None and len(loaded.session.current.preview.frames) == 4)
    assert loaded.session.current.mask.pattern == "equispaced"
    previews = [call[1:] for call in engine.calls if call[0] == "preview"]
    assert previews[0] == (1, 0), "the frame on screen comes first"
    panel = loaded.panels.sampling
    assert panel.findChild(QLabel, "sampling.nominal").text() == "R 8"
    assert (
        panel.findChild(QLabel, "sampling.effective").text()
        == f"{loaded.session.current.mask.effective_acceleration:.2f} effective"
    )


def test_dragging_the_slider_asks_for_few_masks_and_ends_with_the_last(loaded, engine, qtbot):
    slider = loaded.findChild(QSlider, "sampling.acceleration.slider")
    before = sum(call[0] == "make_mask" for call in engine.calls)
    for position in range(4, 25):
        slider.setValue(position)
    qtbot.waitUntil(settled(loaded))
    assert loaded.session.current.mask.nominal_acceleration == 12.0
    assert sum(call[0] == "make_mask" for call in engine.calls) - before <= 3
    assert loaded.settings.get("sampling/acceleration") == 12.0


def test_a_mask_that_cannot_be_made_leaves_the_old_one_and_says_why(loaded, qtbot):
    shown = []
    loaded.errors.shown.connect(shown.append)
    old = loaded.session.current.mask
    panel = loaded.panels.sampling
    find(panel, "sampling.acs").setMaximum(100)
    find(panel, "sampling.acs").setValue(99)
    qtbot.waitUntil(settled(loaded))
    assert loaded.session.current.mask is old
    assert "99 ACS lines do not fit" in shown[0].message
    assert "99 ACS lines do not fit" in panel.findChild(QLabel, "sampling.note").text()
    find(panel, "sampling.acs").setValue(8)
    qtbot.waitUntil(settled(loaded))
    assert loaded.session.current.mask is not old
    assert panel.findChild(QLabel, "sampling.note").isHidden()


def test_a_late_preview_of_an_old_mask_is_dropped(loaded, qtbot):
    case = loaded.session.current
    old = loaded.session.current.preview
    loaded.sampling._on_preview(case, loaded.session.current.kspace, SamplingMask(np.ones((1, 32, 1), bool), "other"), 1, old)
    assert loaded.session.current.preview is old


def test_changing_slice_makes_its_preview(loaded, qtbot):
    loaded.review.step_slice(1)
    qtbot.waitUntil(
        lambda: (
            loaded.session.current.preview is not None
            and loaded.session.current.preview.slices == (2,)
            and len(loaded.session.current.preview.frames) == 4
        )
    )


def test_a_series_that_was_undersampled_uses_its_own_mask(window, qtbot):
    lines = np.zeros((1, 32, 1), bool)
    lines[:, ::3] = True
    acquired = SamplingMask(lines, "acquired", 3.0)
    session = window.session
    session.insert(session.new_case(kspace(acquired=acquired), "measured"))
    qtbot.waitUntil(settled(window))
    assert session.current.mask is acquired
    assert not window.findChild(QDoubleSpinBox, "sampling.acceleration").isEnabled()
    assert "used as it is" in window.findChild(QLabel, "sampling.note").text()
    assert session.current.reference is None


def test_images_have_nothing_to_sample(window, qtbot):
    window.session.insert(window.session.new_case(images(), "pictures"))
    qtbot.waitUntil(settled(window))
    assert "simulate coils first" in window.findChild(QLabel, "sampling.note").text()
    assert window.session.current.mask is None
    assert window.session.current.reference is not None


def test_a_mask_file_is_used_and_named(loaded, qtbot):
    loaded.sampling.open_mask("half.npz")
    qtbot.waitUntil(settled(loaded))
    case = loaded.session.current
    assert loaded.session.current.mask.pattern == "file"
    assert loaded.session.current.mask_file == "half.npz"
    panel = loaded.panels.sampling
    assert find(panel, "sampling.pattern").currentText() == "File: half.npz"
    assert not find(panel, "sampling.acceleration.slider").isEnabled(), "the file's mask has no slider"
    session = loaded.session
    second = session.new_case(kspace(name="two"), "two")
    session.insert(second)
    loaded.sampling.set_request(MaskRequest("gaussian", 6.0, 4, 1))
    qtbot.waitUntil(lambda: settled(loaded)() and session.find(second.key).mask is not None)
    assert find(panel, "sampling.acceleration.slider").isEnabled()
    session.select(case.key)
    qtbot.waitUntil(settled(loaded))
    assert find(panel, "sampling.pattern").currentText() == "File: half.npz"
    assert not find(panel, "sampling.acceleration.slider").isEnabled()


def test_a_mask_file_of_another_shape_is_refused(loaded, engine, qtbot):
    engine.open_mask = lambda *_: SamplingMask(np.ones((1, 7, 1), bool), "file")
    shown, old = [], loaded.session.current.mask
    loaded.errors.shown.connect(shown.append)
    loaded.sampling.open_mask("wrong.npz")
    qtbot.waitUntil(settled(loaded))
    assert "does not fit the data" in shown[0].message
    assert loaded.session.current.mask is old


def test_switching_series_restores_its_mask(loaded, qtbot):
    session = loaded.session
    first = session.current
    loaded.sampling.set_request(MaskRequest("equispaced", 4.0, 8, 0))
    qtbot.waitUntil(settled(loaded))
    second = session.new_case(kspace(name="two"), "two")
    session.insert(second)
    loaded.sampling.set_request(MaskRequest("gaussian", 6.0, 4, 1))
    qtbot.waitUntil(lambda: settled(loaded)() and session.current.mask is not None)
    assert session.find(second.key).mask.pattern == "gaussian"
    session.select(first.key)
    qtbot.waitUntil(settled(loaded))
    assert loaded.panels.sampling.request().pattern == "equispaced"
    assert loaded.panels.sampling.request().acceleration == 4.0


def test_every_pattern_can_be_chosen(loaded, engine, qtbot):
    panel = loaded.panels.sampling
    for spec in engine.mask_patterns():
        loaded.sampling.set_request(MaskRequest(spec.name, 3.0, 4, 0))
        qtbot.waitUntil(settled(loaded), timeout=15000)
        assert panel.request().pattern == spec.name
        assert loaded.session.current.mask.pattern == spec.name


def test_a_series_opened_after_a_mask_file_gets_the_mask_used_before(loaded, qtbot):
    shown = []
    loaded.errors.shown.connect(shown.append)
    loaded.sampling.open_mask("half.npz")
    qtbot.waitUntil(settled(loaded))
    session = loaded.session
    session.insert(session.new_case(kspace(name="two"), "two"))
    qtbot.waitUntil(settled(loaded))
    assert not shown
    assert session.current.mask.pattern == "equispaced"
    assert session.current.mask.nominal_acceleration == 8.0
    assert not loaded.panels.sampling.from_file()


def test_a_preview_that_another_series_interrupted_is_finished_later(window, engine, qtbot):
    lines = np.zeros((1, 32, 1), bool)
    lines[:, ::3] = True
    session = window.session
    measured = session.new_case(kspace(acquired=SamplingMask(lines, "acquired", 3.0)), "measured")
    session.insert(measured)
    qtbot.waitUntil(settled(window))
    session.insert(session.new_case(kspace(name="two"), "two"))
    whole = session.find(measured.key).preview
    session.edit(measured.key, preview=replace(whole, image=whole.image[:, :1], frames=(0,)))
    session.select(measured.key)
    qtbot.waitUntil(lambda: len(session.current.preview.frames) == 4 and settled(window)())


def test_a_drag_of_the_slider_is_one_step_of_undo_and_the_panel_follows(loaded, qtbot):
    panel, session = loaded.panels.sampling, loaded.session
    slider = panel.findChild(QSlider, "sampling.acceleration.slider")
    first = session.current
    slider.setSliderDown(True)
    for position in (6, 5, 3):
        slider.setValue(2 * position)
        qtbot.waitUntil(lambda: not loaded.sampling.pending and settled(loaded)())
    slider.setSliderDown(False)
    panel.findChild(QSpinBox, "sampling.acs").setValue(4)
    qtbot.waitUntil(lambda: not loaded.sampling.pending and settled(loaded)())
    assert session.current.request.acs == 4
    assert "change the sampling" in loaded.actions_by_key["edit.undo"].text()
    session.undo()
    dragged = session.current.request
    assert dragged.acceleration == 3
    assert panel.request() == dragged
    session.undo()
    assert session.current.mask is first.mask
    assert panel.request().acceleration == first.request.acceleration
    assert session.history.undo_step is None
    qtbot.waitUntil(lambda: session.current.preview is not None and settled(loaded)())
    session.redo()
    assert panel.request() == dragged
    qtbot.waitUntil(settled(loaded))
