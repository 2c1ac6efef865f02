"""Series in words, notices, the job indicator."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QToolButton

from app.display.words import duration_words
from app.document.case import Case
from app.errors import Notice
from app.jobs import JobRunner
from app.panels.jobs import JobIndicator, job_words
from app.panels.notices import NoticeBar
from app.panels.series import SeriesPanel, axes_words, kind_words, sampling_words, voxel_words
from app.panels.status import StatusBar
from app.session import Session
from engine.core.geometry import Geometry
from engine.core.types import Acquisition, Evidence, Kind, SamplingMask
from tests.app.stand_in import images, kspace


def test_a_series_in_words():
    data = kspace()
    assert axes_words(data) == "slice 3, frame 4, coil 2, ky 32, kx 24"
    assert kind_words(data) == "Cine, 40.0 ms a frame"
    assert sampling_words(Case("a", "a", data)) == "fully sampled"
    assert voxel_words(data) == ""
    assert voxel_words(replace(data, geometry=Geometry(voxel_mm=(8.0, 1.4, 1.4)))) == "Voxel 1.4 × 1.4 mm, slice 8 mm"
    assert axes_words(images()) == "slice 2, frame 4, y 32, x 24"
    assert sampling_words(Case("a", "a", images())) == "no k-space"
    part = replace(data, acquisition=Acquisition(evidence=Evidence.PART))
    assert sampling_words(Case("a", "a", part)) == "fully sampled, as a part of the data shows"


def test_times_of_a_weighted_series_are_listed_and_unknown_is_said():
    molli = replace(kspace(kind=Kind.MOLLI), times_ms=np.array([100.0, 180.0, 260.0, 1000.0]))
    assert kind_words(molli) == "MOLLI (T1), TI 100, 180, 260, 1000 ms"
    long = replace(kspace((1, 8, 1, 8, 8), kind=Kind.MOLLI), times_ms=np.arange(1, 9) * 100.0)
    assert kind_words(long) == "MOLLI (T1), TI 100, 200, 300, …, 800 ms"
    other = replace(molli, times_ms=np.array([[100.0, 1, 2, 3], [100, 1, 2, 4], [100, 1, 2, 3]]))
    assert kind_words(other).endswith("(slice 1; others differ)")
    assert kind_words(replace(molli, times_ms=None)) == "MOLLI (T1), times unknown"
    assert kind_words(replace(kspace(), times_ms=None, kind=Kind.UNKNOWN)) == "Kind unknown, times unknown"


def test_prospective_undersampling_is_said_with_both_accelerations():
    lines = np.zeros((1, 32, 1), bool)
    lines[:, ::4] = True
    assert (
        sampling_words(Case("a", "a", kspace(acquired=SamplingMask(lines, "acquired", 4.0))))
        == "undersampled when measured: acquired R 4 (4.0 effective)"
    )
    assert sampling_words(Case("a", "a", kspace(acquired=SamplingMask(lines, "acquired")))).endswith("acquired, R 4.0 effective")


def test_the_panel_says_what_is_unknown_and_warns_of_simulated_coils(qtbot):
    panel, session = SeriesPanel(), Session()
    qtbot.addWidget(panel)
    case = session.new_case(kspace(), "tiny")
    panel.show_case(case, [case])
    assert panel.findChild(QLabel, "series.unknown").text() == "Unknown: orientation"
    assert panel.findChild(QLabel, "series.notes").text() == "Simulated coils"
    assert panel.findChild(QLabel, "series.empty").isHidden()
    panel.show_case(None, [])
    assert not panel.findChild(QLabel, "series.empty").isHidden()


def notice(text: str) -> Notice:
    return Notice("Open", text, "Do this.", "trace of " + text)


def test_notices_are_stacked_copied_and_dismissed(qtbot):
    bar = NoticeBar()
    qtbot.addWidget(bar)
    assert bar.isHidden()
    bar.show_notice(notice("first"))
    bar.show_notice(notice("second"))
    assert bar.message.text() == "Open: second"
    assert bar.findChild(QLabel, "notices.count").text() == "1 of 2"
    bar.findChild(QToolButton, "notices.copy").click()
    assert "trace of second" in QGuiApplication.clipboard().text()
    with qtbot.waitSignal(bar.details_requested) as asked:
        bar.findChild(QToolButton, "notices.details").click()
    assert asked.args[0].message == "second"
    bar.findChild(QToolButton, "notices.close").click()
    assert bar.message.text() == "Open: first"
    bar.dismiss()
    assert bar.isHidden()
    every = bar.findChild(QToolButton, "notices.clear")
    bar.show_notice(notice("third"))
    assert every.isHidden()
    bar.show_notice(notice("fourth"))
    assert not every.isHidden()
    every.click()
    assert bar.current() is None
    assert bar.isHidden()


def test_the_indicator_tells_what_runs_and_cancels_single_jobs(qtbot):
    runner, gate = JobRunner(), threading.Event()
    indicator = JobIndicator(runner)
    qtbot.addWidget(indicator)
    assert (indicator.text(), indicator.isEnabled()) == ("no jobs", False)

    def work(report):
        report.step(42, 100, "half")
        while not gate.wait(0.005):
            report.check()

    first = runner.submit("gpu", "First", work)
    second = runner.submit("gpu", "Second", work)
    quiet = runner.submit("io", "Quiet", work, quiet=True)
    qtbot.waitUntil(lambda: indicator.text() == "2 jobs 42 %")
    assert job_words(second) == "Second: waiting"
    indicator.menu().aboutToShow.emit()
    texts = [action.text() for action in indicator.menu().actions()]
    assert texts[0].startswith("Cancel First: 42 %")
    assert texts[1] == "Cancel Second: waiting"
    indicator.menu().actions()[0].trigger()
    assert job_words(first) == "First: cancelling…"
    qtbot.waitUntil(lambda: first.done)
    gate.set()
    qtbot.waitUntil(lambda: not runner.active())
    assert indicator.text() == "no jobs"
    assert quiet.done
    runner.shutdown()
    runner.deleteLater()


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "0 s"), (4.4, "4 s"), (80, "1 min 20 s"), (121, "2 min 01 s")])
def test_durations(seconds, words):
    assert duration_words(seconds) == words


def test_notes_of_the_data_are_cut_to_the_room_they_have_and_read_in_full(qtbot):
    bar = StatusBar()
    qtbot.addWidget(bar)
    bar.resize(700, 24)
    bar.show_case(Case("a", "a", replace(kspace(), notes=("simulated coils", "a very long sentence " * 8))))
    assert bar.notes_label.text().endswith("…")
    assert "orientation unknown" in bar.notes_label.toolTip()
    bar.show()
    bar.resize(3000, 24)
    QApplication.processEvents()
    assert bar.notes_label.text().endswith("orientation unknown")
    assert bar.notes_label.toolTip() == ""
