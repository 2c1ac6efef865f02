"""Coil images of one slice: measured ones by the inverse Fourier transform, others by simulated coils, phase and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.core.errors import InputError
from engine.core.types import Kind
from engine.datasets.augment import Augmentation, affine, contrast, resample_loop
from engine.datasets.material import Material
from engine.phantom.coils import CoilArray, coil_maps
from engine.phantom.phase import smooth_phase
from engine.physics.fourier import ifft2c

FOV_MM = (260.0, 420.0)  # of a chest: the coils have the size of coils
REFERENCE_PERCENTILE = 95.0


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What simulated acquisitions look like; ranges that are drawn from."""

    coils: tuple[int, int] = field(default=(1, 16), metadata={"help": "Fewest and most receive coils (simulated ones)"})
    snr: tuple[float, float] = field(default=(12.0, 80.0), metadata={"help": "Lowest and highest signal-to-noise ratio"})
    matrix: tuple[int, int] = field(default=(112, 256), metadata={"help": "Smallest and largest number of lines and columns"})
    frames: tuple[int, int] = field(default=(8, 25), metadata={"help": "Fewest and most phases of a cine loop"})

    def __post_init__(self) -> None:
        for name, least in (("coils", 1), ("snr", 0), ("matrix", 16), ("frames", 1)):
            low, high = getattr(self, name)
            if not least <= low <= high < math.inf:
                raise InputError(
                    f"{name} {low:g} to {high:g} is no range (expected {least} or more, low before high)", "Give low and high."
                )


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Coil images of one slice as a scanner would see them.

    ``coil_images`` complex64 (frame, coil, y, x), noise included; ``acquired`` bool (frame or 1, ky, kx or 1) when not everything
    was measured (``coil_images`` is the zero-filled inverse transform then), else None.
    """

    coil_images: Tensor
    kind: Kind
    subject: str
    times_ms: Tensor | None = None
    acquired: Tensor | None = None


def acquire(material: Material, acquisition: Acquisition, augmentation: Augmentation | None, rng: np.random.Generator) -> Scene:
    """Return a scene of ``material``: augmented, and with simulated coils when it has none. ``augmentation`` None: as it is."""
    times = None if material.times_ms is None else torch.from_numpy(np.array(material.times_ms, dtype=np.float32))
    if material.kspace is not None:
        return _measured(material, augmentation, times, rng)
    assert material.images is not None
    images = torch.from_numpy(np.array(material.images))
    if augmentation is not None:
        images, times = _augmented(images, material, times, acquisition, augmentation, rng)
    magnitude = not images.is_complex()
    height, width = images.shape[-2:]
    phase = smooth_phase((height, width), rng) if magnitude else np.ones((1, 1), dtype=np.complex64)
    coils = int(rng.integers(acquisition.coils[0], acquisition.coils[1] + 1))
    pixel = rng.uniform(*FOV_MM) / max(height, width)
    array = CoilArray(coils, (0.6 * height * pixel, 0.6 * width * pixel), float(rng.uniform(0.0, 2.0 * np.pi)))
    maps = torch.from_numpy(coil_maps(array, (height, width), (pixel, pixel)))
    combined = images * torch.from_numpy(np.asarray(phase, dtype=np.complex64))
    coil_images = combined.to(torch.complex64)[:, None] * maps
    low, high = acquisition.snr
    snr = float(np.exp(rng.uniform(np.log(max(low, 1e-3)), np.log(max(high, 1e-3)))))
    sigma = float(np.percentile(combined.abs().numpy(), REFERENCE_PERCENTILE)) / snr
    noise = torch.from_numpy(rng.standard_normal((*coil_images.shape, 2), dtype=np.float32))
    return Scene(coil_images + sigma * torch.view_as_complex(noise), material.kind, material.subject, times)


def _augmented(
    images: Tensor,
    material: Material,
    times: Tensor | None,
    acquisition: Acquisition,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor | None]:
    low, high = acquisition.matrix
    shape = int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))
    if material.periodic:
        frames = int(rng.integers(acquisition.frames[0], acquisition.frames[1] + 1))
        images, times = resample_loop(images, frames, augmentation, rng), None
    if not images.is_complex():
        images = contrast(images, augmentation, rng) if material.periodic else images
        return affine(images.float(), augmentation, shape, rng).clamp_min(0.0), times
    parts = torch.cat((images.real, images.imag))
    moved = affine(parts, augmentation, shape, rng)
    return torch.complex(*moved.chunk(2)), times


def _measured(material: Material, augmentation: Augmentation | None, times: Tensor | None, rng: np.random.Generator) -> Scene:
    """Return measured data: all coils moved alike. What was undersampled when it was measured cannot be moved, and is not."""
    coil_images = ifft2c(torch.from_numpy(np.array(material.kspace)))
    acquired = None if material.acquired is None else torch.from_numpy(np.array(material.acquired))
    if augmentation is not None and acquired is None:
        frames, coils, height, width = coil_images.shape
        flat = coil_images.reshape(-1, height, width)
        moved = affine(torch.cat((flat.real, flat.imag)), augmentation, (height, width), rng)
        coil_images = torch.complex(*moved.chunk(2)).reshape(frames, coils, height, width)
        if material.periodic:
            coil_images = resample_loop(coil_images, frames, augmentation, rng)
    return Scene(coil_images, material.kind, material.subject, times, acquired)
