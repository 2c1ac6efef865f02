from __future__ import annotations

import math

import pytest

from app.display.words import acceleration_text, number, score_lines, score_text, seconds_text, shorter, stale_text
from engine.core.types import SamplingMask
from tests.app.display.build import mask, score


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.41234, "0.412"),
        (123.4, "123"),
        (1.0, "1.00"),
        (0.0, "0"),
        (1.5e-9, "1.50e-09"),
        (-2.5e7, "-2.50e+07"),
        (math.nan, "not a number"),
        (-math.inf, "-infinite"),
    ],
)
def test_number(value, text):
    assert number(value) == text


def test_scores_have_the_digits_readers_expect():
    assert score_text("psnr", 25.06) == "25.1"
    assert score_text("ssim", 0.71249) == "0.712"
    assert score_text("nmse", 0.00012) == "1.2e-04"
    scores = {
        ("psnr", "whole"): score("psnr", 25.06),
        ("ssim", "whole"): score("ssim", 0.71),
        ("nmse", "whole"): score("nmse", 0.02),
    }
    assert score_lines(scores, "whole") == ("PSNR 25.1 dB   SSIM 0.710", "NMSE 0.020   whole image")
    assert score_lines(scores, "dynamic") == ()


def test_narrow_panes_keep_the_numbers():
    ways = shorter("PSNR 25.1 dB   SSIM 0.710")
    assert ways == ("PSNR 25.1 dB   SSIM 0.710", "PSNR 25.1 dB  SSIM 0.710", "PSNR 25.1  SSIM 0.710", "25.1  0.710")
    assert shorter("NMSE 0.020   whole image")[2] == "NMSE 0.020  whole"


def test_durations():
    assert [seconds_text(s) for s in (0, 0.0804, 1.13, 125)] == ["", "80 ms", "1.1 s", "2 min 5 s"]
    assert [seconds_text(s) for s in (99.7, 119.7)] == ["1 min 40 s", "2 min 0 s"]


def test_both_accelerations_are_said():
    made = mask(4.0)
    assert acceleration_text(made) == f"R 4 ({made.effective_acceleration:.1f} effective)"
    assert acceleration_text(SamplingMask(made.lines, "file")) == f"R {made.effective_acceleration:.1f} effective"


def test_stale_says_what_was_different():
    now = mask(4.0)
    assert stale_text(now, now) == ""
    assert stale_text(mask(4.0), now) == ""  # the same lines from another object
    assert stale_text(now, None) == ""
    assert stale_text(mask(2.0), now).startswith("stale: made with R 2 (")
    assert stale_text(mask(4.0, acs=(1, 6)), now) == "stale: made with 5 ACS lines"
    assert stale_text(mask(4.0, seed=1), now) == "stale: made with seed 1"
    moved = SamplingMask(mask(4.0, seed=1).lines, "equispaced", 4.0, (2, 5))
    assert stale_text(moved, now) == "stale: made with another mask"
    assert stale_text(mask(2.0, pattern="kt_radial"), now).startswith("stale: made with kt radial, R 2 (")
