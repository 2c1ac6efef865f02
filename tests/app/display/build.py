"""Small sessions with known pixels."""

from __future__ import annotations

import numpy as np

from app.display.snapshot import ResultEntry, SessionSnapshot
from engine.core.types import Reconstruction, Region, SamplingMask, Score

SHAPE = (2, 5, 7, 9)  # odd, all different


def mask(acceleration=4.0, *, acs=(2, 5), seed=0, pattern="equispaced", frames=1, ky=SHAPE[2]):
    """Return a 1D mask; seed and acceleration shift its lines."""
    lines = np.zeros((frames, ky, 1), bool)
    lines[:, (seed % 2) :: int(acceleration)] = True
    lines[:, acs[0] : acs[1]] = True
    return SamplingMask(lines, pattern, acceleration, acs, seed)


def series(scale=1.0, shape=SHAPE, seed=1):
    """Return complex images whose magnitude tells the pixel apart."""
    rng = np.random.default_rng(seed)
    magnitude = rng.uniform(0.2, 1.0, shape)
    phase = rng.uniform(-np.pi, np.pi, shape)
    image = (scale * magnitude * np.exp(1j * phase)).astype(np.complex64)
    image.flags.writeable = False
    return image


def entry(key, image, *, made=None, title=None, slices=None, frames=None, scores=None, preview=False, seconds=1.0, **more):
    """Return a result of all slices and frames of ``image``."""
    slices = tuple(range(image.shape[0])) if slices is None else slices
    frames = tuple(range(image.shape[1])) if frames is None else frames
    rec = Reconstruction(image, key, slices, frames, made or mask(), seconds=seconds, **more)
    return ResultEntry(key, title or key, rec, scores or {}, preview)


def score(metric, value, region="whole", better=True):
    """Return a score over all slices."""
    return Score(metric, value, "dB" if metric == "psnr" else "", region, "all", 1.0, 3150, better)


def snapshot(n=2, scale=1.0, **more):
    """Return a reference and ``n`` results that differ from it by known factors 1.1, 1.2 ..."""
    reference = series(scale)
    results = tuple(entry(f"r{i}", (reference * np.float32(1.1 + 0.1 * i)).astype(np.complex64)) for i in range(n))
    pixels = np.zeros((SHAPE[0], *SHAPE[2:]), bool)
    pixels[:, 2:5, 3:7] = True
    given = {
        "title": "case",
        "reference": reference,
        "results": results,
        "mask": results[0].reconstruction.mask if results else mask(),
        "region": Region(pixels, "dynamic"),
        "frame_ms": 30.0,
    }
    return SessionSnapshot(**{**given, **more})
