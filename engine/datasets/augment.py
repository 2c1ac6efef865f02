"""Augmentation on images or coil images: one random affine map for all frames, contrast, phase of the cine loop.

Source: relaxometry-guided reconstruction (paper 2), section on training: affine maps, flips and noise on coil images, then the
Fourier transform and the mask. Ranges are settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much is changed. All angles in degrees."""

    probability: float = field(
        default=0.9, metadata={"help": "Share of examples that are moved, turned and scaled", "range": (0, 1)}
    )
    rotation: float = field(default=180.0, metadata={"help": "Largest rotation, degrees", "range": (0, 180)})
    shift: float = field(default=0.1, metadata={"help": "Largest shift as a share of the field of view", "range": (0, 0.5)})
    shear: float = field(default=10.0, metadata={"help": "Largest shear, degrees", "range": (0, 45)})
    scale: tuple[float, float] = field(default=(0.75, 1.35), metadata={"help": "Smallest and largest magnification"})
    flip: bool = field(default=True, metadata={"help": "Mirror along either axis, each half of the time"})
    contrast: tuple[float, float] = field(
        default=(0.7, 1.5), metadata={"help": "Exponents of a random change of contrast (magnitude images only)"}
    )
    loop: bool = field(default=True, metadata={"help": "Start a cine loop at any phase, play it either way"})

    def __post_init__(self) -> None:
        for name in ("scale", "contrast"):
            low, high = getattr(self, name)
            if not 0 < low <= high < np.inf:
                raise InputError(f"{name} {low:g} to {high:g} is no range (expected 0 < low <= high)", "Give low and high.")


def affine(images: Tensor, settings: Augmentation, shape: tuple[int, int], rng: np.random.Generator) -> Tensor:
    """Return real images (channel, y, x) resampled to ``shape``, all by one random affine map (bicubic; zero outside).

    The field of view is kept square to the pixels: with no augmentation the image is cropped or padded, never stretched.
    """
    height, width = images.shape[-2:]
    angle = shear_angle = shift_y = shift_x = 0.0
    magnify = 1.0
    flip = np.ones(2)
    # Drawn whether or not they are used: one setting must not move the numbers behind another.
    draws = rng.uniform(-1.0, 1.0, size=6)
    used = rng.uniform() < settings.probability
    flips = rng.uniform(size=2) < 0.5
    if used:
        angle, shear_angle = np.deg2rad(settings.rotation * draws[0]), np.deg2rad(settings.shear * draws[1])
        shift_y, shift_x = settings.shift * draws[2], settings.shift * draws[3]
        low, high = np.log(settings.scale)
        magnify = float(np.exp(low + (high - low) * (draws[4] + 1.0) / 2.0))
    if settings.flip:
        flip = np.where(flips, -1.0, 1.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1.0, np.tan(shear_angle)], [0.0, 1.0]]) @ np.diag(flip) / magnify  # (x, y) in pixels
    # from pixels of the result to the sampler's coordinates, where each axis of the source runs from -1 to 1
    to_source = np.diag([2.0 / width, 2.0 / height])
    from_result = np.diag([shape[1] / 2.0, shape[0] / 2.0])
    theta = np.concatenate([to_source @ matrix @ from_result, [[2.0 * shift_x], [2.0 * shift_y]]], axis=1)
    grid = functional.affine_grid(torch.from_numpy(theta[None]).to(images), [1, 1, *shape], align_corners=False)
    return functional.grid_sample(images[None], grid, mode="bicubic", padding_mode="zeros", align_corners=False)[0]


def contrast(magnitude: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Return magnitudes (frame, y, x) with another contrast: a power law between 0 and the brightest pixel."""
    low, high = np.log(settings.contrast)
    exponent = float(np.exp(rng.uniform(low, high)))
    peak = magnitude.amax().clamp_min(1e-12)
    return (magnitude.clamp_min(0.0) / peak) ** exponent


def resample_loop(images: Tensor, frames: int, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Return a cine loop (frame, ...) of ``frames`` phases, started anywhere and run either way, interpolated linearly."""
    count = images.shape[0]
    start, backwards = rng.uniform(0.0, count), rng.uniform() < 0.5
    if not settings.loop:
        start, backwards = 0.0, False
    at = (start + np.arange(frames) * count / frames) % count
    if backwards:
        at = at[::-1]
    if frames == count:
        at = np.round(at) % count  # no interpolation where none is needed
    first = np.floor(at).astype(int)
    share = torch.from_numpy((at - first).astype(np.float32)).to(images.device).reshape(-1, *[1] * (images.ndim - 1))
    return images[first % count] * (1 - share) + images[(first + 1) % count] * share
