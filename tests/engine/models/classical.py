"""Small measured series for the tests of the classical methods: a beating disc among still ones, seen by coils."""

from __future__ import annotations

import dataclasses

import torch

from engine.core.requests import MaskRequest
from engine.models.contract import ReconInput
from engine.physics.operator import SenseOperator
from engine.sampling import make_mask


def truth_of(frames=8, height=64, width=48, batch=1):
    """Return a complex image (batch, frame, y, x) with edges, motion and a smooth phase."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    image = torch.zeros(batch, frames, height, width)
    for frame in range(frames):
        radius = 0.3 + 0.08 * torch.cos(torch.tensor(2 * torch.pi * frame / max(frames, 1)))
        body = ((x / 0.8) ** 2 + (y / 0.85) ** 2 < 1).float()
        wall = ((x**2 + y**2) < radius**2).float() - ((x**2 + y**2) < (0.55 * radius) ** 2).float()
        spots = sum((((x - a) / 0.08) ** 2 + ((y - b) / 0.06) ** 2 < 1).float() for a, b in [(-0.5, 0.2), (0.5, -0.3), (0.1, 0.65)])
        image[:, frame] = 0.5 * body + 0.4 * wall + 0.3 * spots
    return image * torch.exp(1j * (0.5 * x + 0.8 * y * x))


def maps_of(coils, height, width):
    """Return smooth maps (1, 1, coil, y, x) of unit root sum of squares."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    if coils == 1:
        return torch.ones(1, 1, 1, height, width, dtype=torch.complex64)
    angles = 2 * torch.pi * torch.arange(coils) / coils
    maps = []
    for a in angles:
        distance = (x - 1.4 * torch.cos(a)) ** 2 + (y - 1.4 * torch.sin(a)) ** 2
        maps.append(torch.polar(1 / (0.3 + distance), a + x * torch.sin(a) - y * torch.cos(a)))
    stacked = torch.stack(maps)
    return (stacked / torch.linalg.vector_norm(stacked, dim=0))[None, None]


def measured(pattern="equispaced", r=4.0, acs=16, noise=0.01, coils=6, per_frame=None, seed=0, **shape):
    """Return (ReconInput, truth)."""
    truth = truth_of(**shape)
    frames, height, width = truth.shape[1:]
    lines = make_mask(MaskRequest(pattern, r, acs, per_frame=per_frame), frames, height, width).lines
    operator = SenseOperator(torch.from_numpy(lines.copy())[None, :, None], maps_of(coils, height, width))
    kspace = operator.forward(truth)
    g = torch.Generator().manual_seed(seed)
    noise_samples = noise * torch.randn(kspace.shape, dtype=torch.complex64, generator=g)
    return ReconInput(kspace + noise_samples * operator.mask, operator), truth


def error(image, truth):
    """Return the relative error."""
    return float(torch.linalg.vector_norm(image - truth) / torch.linalg.vector_norm(truth))


def scaled(data, factor):
    """Return the data on another scale."""
    return dataclasses.replace(data, kspace=data.kspace * factor)
