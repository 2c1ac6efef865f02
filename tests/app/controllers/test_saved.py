"""Reconstructions opened from files: beside their reference, beside each other, with scores, and saved again as they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtWidgets import QDoubleSpinBox, QLabel

from app.controllers.saved import same_data
from app.display.frames import REFERENCE
from engine import api
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, Kind, Reconstruction, SamplingMask
from tests.app.controllers.test_files import settled


def mask(step=4):
    lines = np.zeros((1, 32, 1), bool)
    lines[:, ::step] = True
    return SamplingMask(lines, "equispaced", float(step))


def made(seed=0, method="cg_sense", reference=True, step=4, source="scan") -> Reconstruction:
    truth = np.random.default_rng(seed).standard_normal((1, 4, 32, 24)).astype(np.complex64)
    return Reconstruction(
        truth * np.complex64(0.9),
        method,
        (2,),
        (0, 1, 2, 3),
        mask(step),
        kind=Kind.CINE,
        reference=truth if reference else None,
        seconds=1.5,
        notes=("simulated coils", "few iterations"),
        provenance={"source": source, "notes": ["simulated coils"]},
    )


@pytest.fixture
def open_saved(window, engine, qtbot, tmp_path):
    """Return a function that opens a reconstruction as if it lay in a file."""

    def open_saved(rec, name):
        images = rec.image if rec.reference is None else rec.reference
        engine.files[name] = ImageSeries(images, rec.kind, attributes={"acceleration": {"nominal": 4.0}})
        engine.saved[name] = rec
        before = sum(len(case.results) for case in window.session.cases)
        window.files.open([tmp_path / name])
        qtbot.waitUntil(lambda: sum(len(c.results) for c in window.session.cases) == before + 1 and settled(window)())
        return window.session.current

    return open_saved


def test_a_saved_result_stands_beside_its_reference_with_scores_mask_and_notes(window, open_saved, qtbot):
    case = open_saved(made(), "r.h5")
    qtbot.waitUntil(lambda: bool(case.results[0].scores) and settled(window)())
    window.review.refresh()
    reference, pane = window.review.display.panes
    assert reference.key == REFERENCE
    assert "stored with the result" in reference.lines
    assert reference.badges == ("simulated coils", "slice 3 of the series")
    assert pane.title == "CG-SENSE"
    assert pane.badges == ("few iterations", "equispaced R 4 (4.0 effective)")
    assert np.array_equal(case.reference, made().reference)
    assert "scan" in case.title
    panel = window.panels.sampling
    assert panel.findChild(QLabel, "sampling.nominal").text() == "R 4"
    assert panel.findChild(QDoubleSpinBox, "sampling.acceleration").value() == 4.0
    assert panel.findChild(QDoubleSpinBox, "sampling.acceleration").isEnabled() is False
    assert "made with" in panel.findChild(QLabel, "sampling.note").text()
    assert not window.panels.methods.button.isEnabled()
    assert not window.actions_by_key["file.simulate"].isEnabled()
    assert window.actions_by_key["edit.copy_scores"].isEnabled()
    assert "saved result" in window.panels.series.findChild(QLabel, "series.kind").text()


def test_results_of_the_same_data_are_compared_and_others_are_not(window, open_saved):
    case = open_saved(made(), "a.h5")
    assert open_saved(made(method="l1_wavelet", step=2), "b.h5").key == case.key
    case = window.session.current
    assert [r.title for r in case.results] == ["CG-SENSE", "L1 wavelet"]
    assert case.mask is None, "made with several masks: none is the mask of the case"
    window.review.refresh()
    assert not any("stale" in badge for pane in window.review.display.panes for badge in pane.badges)
    assert window.panels.sampling.findChild(QLabel, "sampling.nominal").text() == "R –"
    assert "several masks" in window.panels.sampling.findChild(QLabel, "sampling.note").text()
    assert open_saved(made(seed=1), "c.h5").key != case.key
    assert len(window.session.cases) == 2


def test_the_same_method_twice_is_kept_twice(window, open_saved):
    open_saved(made(), "a.h5")
    case = open_saved(replace(made(), seconds=3.0), "b.h5")
    assert [r.reconstruction.seconds for r in case.results] == [1.5, 3.0]


def test_without_a_reference_there_are_no_scores_and_that_is_said(window, open_saved):
    case = open_saved(made(reference=False), "r.h5")
    assert case.reference is None
    assert not case.results[0].scores
    assert "holds no reference" in window.panels.inspector.findChild(QLabel, "inspector.hint").text()
    window.review.refresh()
    assert [pane.title for pane in window.review.display.panes] == ["CG-SENSE"]
    assert open_saved(made(seed=5, reference=False), "same-source.h5").key == case.key
    assert open_saved(made(seed=5, reference=False, source=""), "unknown-source.h5").key != case.key


def test_a_result_of_a_file_is_saved_as_it_was_read(window, engine, open_saved, qtbot, tmp_path):
    case = open_saved(made(), "r.h5")
    window.files.save_result(case, case.results[0], str(tmp_path / "again.h5"))
    qtbot.waitUntil(settled(window))
    saved = next(call for call in engine.calls if call[0] == "save_reconstruction")[1]
    assert saved is case.results[0].original
    assert saved.slices == (2,)
    assert saved.notes == ("simulated coils", "few iterations")


def test_titles_come_with_the_catalogue(make_window, engine, qtbot, tmp_path):
    engine.saved["r.h5"] = made()
    engine.files["r.h5"] = ImageSeries(made().image, attributes={"acceleration": {}})
    engine.warm_up = lambda: engine.gate.wait(10)
    engine.gate.clear()
    window = make_window()
    window.files.open([tmp_path / "r.h5"])
    qtbot.waitUntil(lambda: window.session.current is not None and bool(window.session.current.results))
    assert window.session.current.results[0].title == "cg_sense"
    engine.gate.set()
    qtbot.waitUntil(lambda: window.session.current.results[0].title == "CG-SENSE" and settled(window)())


def test_what_belongs_together(window):
    session = window.session
    case = session.new_case(ImageSeries(made().reference), "r")
    assert not same_data(case, made())
    case = replace(case, saved=made())
    assert same_data(case, made(method="l1_wavelet", step=2))
    assert same_data(case, replace(made(), reference=made().reference * np.complex64(1.001)))
    assert not same_data(case, made(seed=1))
    assert not same_data(case, made(reference=False))
    assert not same_data(case, replace(made(), slices=(1,)))


def test_a_real_file_is_recognised(tmp_path):
    from app.controllers.files import _open
    from engine.core.jobs import silent

    api.save_reconstruction(made(), tmp_path / "r.h5")
    found = _open(api, tmp_path / "r.h5", None, silent())
    assert isinstance(found, Reconstruction)
    assert found.slices == (2,)
    assert isinstance(_open(api, tmp_path / "r.h5", OpenOptions(kind="molli"), silent()), ImageSeries), (
        "who says more wants the images"
    )
