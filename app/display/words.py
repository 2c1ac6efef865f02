"""Titles, score lines, badges and numbers as they are written on screen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from app.display.snapshot import ResultEntry, SessionSnapshot
from engine.core.types import Kind, SamplingMask, Score

SHOWN_METRICS: Final = (("psnr", "PSNR"), ("ssim", "SSIM"), ("nmse", "NMSE"))
TIME_NAMES: Final = {Kind.MOLLI: "TI", Kind.T2PREP: "TE"}
REGION_WORDS: Final = {"whole": "whole image", "dynamic": "dynamic region", "static": "static region"}


def number(value: float, digits: int = 3) -> str:
    """Return a value with ``digits`` significant digits, in powers of ten when it is very small or large."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if -4 <= size <= 5:
        return f"{value:.{max(0, digits - 1 - size)}f}"
    return f"{value:.{digits - 1}e}"


def ms(value: float) -> str:
    """Return milliseconds as readers write them: whole from 100, one decimal from 10."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def duration_words(seconds: float) -> str:
    """Return a duration in words that do not jump: 4 s, 1 min 20 s."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def score_text(metric: str, value: float) -> str:
    """Return the value of a metric with the digits its readers expect: dB to one place, ratios to three."""
    if not math.isfinite(value):
        return number(value)
    if metric == "psnr":
        return f"{value:.1f}"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


def score_lines(scores: Mapping[tuple[str, str], Score], region: str) -> tuple[str, ...]:
    """Return the lines under a pane: the three scores, then the region they are taken over."""
    words = []
    for metric, title in SHOWN_METRICS:
        score = scores.get((metric, region))
        if score is not None:
            unit = f" {score.unit}" if score.unit else ""
            words.append(f"{title} {score_text(metric, score.value)}{unit}")
    if not words:
        return ()
    return ("   ".join(words[:2]), "   ".join([*words[2:], REGION_WORDS.get(region, region)]))


def shorter(line: str) -> tuple[str, ...]:
    """Return a line of :func:`score_lines` and ever shorter ways to write it; no number is ever lost."""
    close = line.replace("   ", "  ")
    bare = close.replace(" dB", "").replace(" image", "").replace(" region", "")
    return line, close, bare, bare.replace("PSNR ", "").replace("SSIM ", "").replace("NMSE ", "")


def score_details(scores: Mapping[tuple[str, str], Score], region: str) -> str:
    """Return how the scores were taken, one line each: slices, pixels, data range, protocol."""
    lines = []
    for metric, title in SHOWN_METRICS:
        score = scores.get((metric, region))
        if score is not None:
            where = "mean over slices" if score.slice == "all" else f"slice {int(score.slice) + 1}"
            lines.append(
                f"{title} {number(score.value, 5)} {score.unit}".rstrip()
                + f": {REGION_WORDS.get(region, region)}, {where}, {score.n_pixels} pixels, "
                f"data range {number(score.data_range)}, protocol {score.protocol}"
            )
    return "\n".join(lines)


def seconds_text(seconds: float) -> str:
    """Return a duration as a person would say it; "" for none."""
    if seconds <= 0:
        return ""
    if seconds < 0.95:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.5:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def acceleration_text(mask: SamplingMask) -> str:
    """Return nominal and effective acceleration, never one without the other."""
    effective = f"{mask.effective_acceleration:.1f}"
    return (
        f"R {effective} effective"
        if mask.nominal_acceleration is None
        else f"R {mask.nominal_acceleration:g} ({effective} effective)"
    )


def stale_text(made: SamplingMask, now: SamplingMask | None) -> str:
    """Return "stale: ..." when a result was made with another mask than the sampling panel shows, "" otherwise."""
    if now is None or made is now or (made.lines.shape == now.lines.shape and bool((made.lines == now.lines).all())):
        return ""
    if made.pattern != now.pattern:
        return f"stale: made with {made.pattern.replace('_', ' ')}, {acceleration_text(made)}"
    if made.nominal_acceleration != now.nominal_acceleration or made.nominal_acceleration is None:
        return f"stale: made with {acceleration_text(made)}"
    if made.acs != now.acs:
        lines = 0 if made.acs is None else made.acs[1] - made.acs[0]
        return f"stale: made with {lines} ACS lines"
    if None not in (made.seed, now.seed) and made.seed != now.seed:
        return f"stale: made with seed {made.seed}"
    return "stale: made with another mask"


def badges_of(entry: ResultEntry, snapshot: SessionSnapshot, stale: str) -> tuple[str, ...]:
    """Return the badges of a result: its own notes, whether it is a preview, whether it is out of date.

    Notes of the whole series ("simulated coils") stand once, on the first pane.
    """
    badges = [note for note in dict.fromkeys(entry.reconstruction.notes) if note not in snapshot.notes]
    if entry.preview:
        badges.append("preview")
    if stale:
        badges.append(stale)
    return tuple(badges)
