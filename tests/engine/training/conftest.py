"""A tiny data set and a configuration that trains on it in seconds."""

import numpy as np
import pytest

from engine.training.config import from_values


def nobody(event):
    """Hear nothing."""


def disc_series(seed, frames=5, size=(32, 28)):
    """Return a beating disc on a background, float32 (frame, y, x)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    cy, cx = size[0] / 2 + rng.uniform(-3, 3), size[1] / 2 + rng.uniform(-3, 3)
    radius = 6 + 2 * np.cos(2 * np.pi * np.arange(frames) / frames + rng.uniform(0, 6))
    distance = np.hypot(y - cy, x - cx)
    body = np.hypot((y - size[0] / 2) / size[0], (x - size[1] / 2) / size[1]) < 0.45
    return (0.3 * body + 0.7 / (1 + np.exp(distance - radius[:, None, None]))).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with three subjects."""
    data = tmp_path / "data"
    data.mkdir()
    for seed in range(3):
        np.save(data / f"subject{seed}.npy", disc_series(seed)[None])
    return data


@pytest.fixture
def values(folder):
    """Return the configuration as plain values."""
    return {
        "name": "tiny",
        "model": {"network": "myonet", "options": {"cascades": 1, "channels": 4, "blocks": 1, "start": "least_squares"}},
        "data": {
            "sources": [{"location": str(folder), "axes": "sfyx", "kind": "cine"}],
            "columns": 16,
            "validation_columns": 0,
            "validation_examples": 1,
            "acquisition": {"coils": [2, 3], "snr": [30, 60], "matrix": [24, 32], "frames": [4, 5]},
        },
        "masks": {"acceleration": [2, 3], "acs": [8, 10]},
        "validation_masks": {"patterns": ["equispaced"], "acceleration": [3, 3], "acs": [8, 8]},
        "optimiser": {"warm_up": 2, "batch": 2, "ema": 0.9},
        "run": {"steps": 6, "epoch": 3, "checkpoint_steps": 2, "threads": 1, "device": "cpu"},
    }


@pytest.fixture
def config(values):
    """Return the configuration."""
    return from_values(values)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Give the user's weights a folder of their own."""
    monkeypatch.setenv("MYOSCOPE_WEIGHTS", str(tmp_path / "home" / "weights"))
    return tmp_path / "home"
