"""Events of a run: written as JSON and read back, with what is no number, what is missing, and what is none."""

from __future__ import annotations

import json
import math

import pytest

from engine.core.records.events import (
    Ended,
    Paused,
    Registered,
    Resumed,
    Skipped,
    Started,
    Stepped,
    Validation,
    as_table,
    from_table,
)

EVENTS = [
    Started("/runs/a", "net", 3, 60, 31_000, "CPU", 4, resumed=True),
    Stepped(4, 60, 0.5, 1e-3, 2.5, {"l1": 0.25, "ssim": 0.5}),
    Validation(20, {"psnr": 31.0, "ssim": 0.9}, 31.0, "psnr", best=True, seconds=1.5, preview="/runs/a/p.npy"),
    Validation(20, {"held_db": 11.0}, 11.0, "held_db"),
    Skipped("a.npy", "5 frames (expected 9)"),
    Paused(7),
    Resumed(7),
    Ended(60, "steps", 34.0, 40, 80.0),
    Ended(0, "stop"),
    Registered("net-b", 34.0, 40),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_is_written_and_read_back(event):
    text = json.dumps(as_table(event), allow_nan=False)
    assert json.loads(text)["event"] == event.event
    assert from_table(json.loads(text)) == event


def test_terms_and_scores_stand_beside_the_other_fields():
    assert as_table(EVENTS[1])["loss_l1"] == 0.25
    assert as_table(EVENTS[2])["psnr"] == 31.0
    assert "preview" not in as_table(EVENTS[3])


def test_a_loss_that_is_no_number_stays_none():
    again = from_table(json.loads(json.dumps(as_table(Stepped(3, 9, math.nan, 1e-3)))))
    assert math.isnan(again.loss)
    assert again.learning_rate == 1e-3


def test_a_score_that_is_missing_is_that_of_the_metric():
    assert from_table({"event": "validation", "step": 2, "psnr": 30.0}) == Validation(2, {"psnr": 30.0}, 30.0, "psnr")


@pytest.mark.parametrize("values", [{}, {"event": "dance"}, {"event": "skipped", "file": "a"}, {"event": 3, "step": 1}])
def test_what_is_no_event_is_none(values):
    assert from_table(values) is None
