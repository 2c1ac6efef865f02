"""The display's benchmark runs the real window and its peers; what it finds is no test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSize

from app.bench import display, register, scenes
from app.bench.peers import ImageItemGrid, ImageViewGrid
from engine import api
from engine.core.jobs import silent

SMALL = scenes.Scene(3, 32, 4)


def test_its_name_is_known_beside_those_of_the_engine_and_loads_no_window():
    register(offscreen=True)
    register(offscreen=True)
    assert api.benchmarks().count("display") == 1
    code = (
        "import sys\nfrom app.__main__ import main\nmain(['bench', '--list'])\n"
        "print([m for m in sys.modules if m.startswith('PySide6')], file=sys.stderr)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=100, check=False)
    assert "display" in done.stdout.split()
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_scenes_hold_what_they_say():
    images, pictures = SMALL.images(), SMALL.pictures()
    assert images.shape == (1, 4, 32, 32)
    assert [picture.shape for picture in pictures] == [(4, 32, 32)] * 3
    np.testing.assert_allclose(pictures[0], np.abs(images[0]), rtol=1e-6)
    assert [(s.panes, s.size, s.frames) for s in scenes.SCENES[:2]] == [(9, 256, 20), (4, 512, 30)]


@pytest.mark.parametrize("kind", [ImageViewGrid, ImageItemGrid])
def test_peers_show_other_pictures_when_asked(qtbot, kind):
    peer = kind(SMALL.pictures(), QSize(400, 300))
    qtbot.addWidget(peer)
    qtbot.waitExposed(peer)
    before = peer.grab().toImage()
    peer.show_frame(0)
    after = peer.grab().toImage()
    assert after != before
    peer.set_levels(20)
    assert peer.grab().toImage() != after


@pytest.mark.slow
def test_lines_compare_every_way_with_every_peer(qtbot, monkeypatch):
    monkeypatch.setattr(scenes, "SCENES", (SMALL,))
    lines = list(display.run(quick=True, report=silent()))
    assert {line.benchmark for line in lines} == {"display"}
    ways = ("playing", "frame slider", "window", "divider")
    for way in ways:
        assert {line.other.partition(",")[0] for line in lines if f", {way}, " in line.case} == {
            "ImageView grid",
            "bare ImageItems",
        }
    assert lines[-1].other == "ours without them"
    assert len(lines) == 2 * len(ways) + 1
    for line in lines:
        assert line.case.endswith("offscreen")
        assert line.ratio == pytest.approx(line.other_s / line.ours_s)
        assert line.ours_s > 0
        assert "fps on the clock" in line.quality_ours
