"""What the benchmarks of networks share: the data, networks with random weights, and how memory and differences are measured."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.core.requests import MaskRequest
from engine.core.types import ImageSeries
from engine.io.samples import open_sample
from engine.models import ModelSpec, ReconInput
from engine.models.parts.sharing import average_of_frames
from engine.phantom.coils import CoilArray, coil_maps
from engine.phantom.phase import smooth_phase
from engine.physics.coils import expand
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator
from engine.physics.scaling import find_scale
from engine.sampling import make_mask

Sizes = tuple[int, int, int, int]  # frame, coil, y, x

PAPER_MACS = 140e9  # up to here a paper's size runs in its plain form within a minute of one thread
ACS, ACCELERATION, SLICE, FOV_MM = 24, 4.0, 2, 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a network is given; the operator is made anew for each run, as it remembers what it has computed."""

    kspace: Tensor
    mask: Tensor
    maps: Tensor

    def operator(self) -> SenseOperator:
        """Return a fresh operator."""
        return SenseOperator(self.mask, self.maps)

    def data(self, spec: ModelSpec, device: torch.device | str = "cpu") -> ReconInput:
        """Return the network's input, scaled as it wants it."""
        scale = find_scale(self.kspace[0], self.mask[0, :, 0], spec.normalise)
        frames = self.kspace.shape[1]
        data = ReconInput(
            scale.normalise(self.kspace).to(device),
            self.operator().to(device),
            times_ms=torch.linspace(100.0, 3000.0, frames, device=device)[None],
            acs=ACS,
        )
        if not spec.needs_reference:
            return data
        return ReconInput(data.kspace, data.operator, data.times_ms, average_of_frames(data), ACS)


def measured(sizes: Sizes, pattern: str = "equispaced") -> Measured:
    """Return some frames of the porcine cine, cropped or padded to the size, seen by simulated coils."""
    frames, coils, height, width = sizes
    series = open_sample("porcine_cine")
    assert isinstance(series, ImageSeries)
    images = _fitted(series.images[SLICE, :frames].astype(np.float32), height, width)
    array = CoilArray(coils, (0.6 * FOV_MM, 0.6 * FOV_MM * width / height))
    voxel = FOV_MM / height
    ones = np.ones((1, height, width), dtype=np.complex64)
    maps = torch.from_numpy(coil_maps(array, (height, width), (voxel, voxel)) if coils > 1 else ones).to(torch.complex64)
    truth = torch.from_numpy(images * smooth_phase((height, width), np.random.default_rng(0))).to(torch.complex64)
    lines = torch.from_numpy(make_mask(MaskRequest(pattern, ACCELERATION, ACS), frames, height, width).lines.copy())
    kspace = fft2c(expand(truth[None], maps)) * lines[None, :, None]
    return Measured(kspace, lines[None, :, None], maps[None, None])


def _fitted(images: np.ndarray[Any, Any], height: int, width: int) -> np.ndarray[Any, Any]:
    """Crop or zero-pad (frame, y, x) about its centre."""
    for axis, size in ((-2, height), (-1, width)):
        have = images.shape[axis]
        first = max(0, (have - size) // 2)
        images = np.take(images, range(first, first + min(size, have)), axis=axis)
        missing = size - images.shape[axis]
        pads = [(0, 0)] * 3
        pads[axis] = (missing // 2, missing - missing // 2)
        images = np.pad(images, pads)
    return images


def build(spec: ModelSpec, preset: str) -> nn.Module:
    """Return a network with random weights, none of which is zero."""
    torch.manual_seed(0)
    network = spec.build(spec.presets[preset])
    assert isinstance(network, nn.Module)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def peak_mib(work: Callable[[], object]) -> float | None:
    """Do ``work`` and return by how many MiB the resident set grew at most; None, and nothing done, where no system tells."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        return None
    import ctypes

    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

    def mebibytes(name: str) -> float:
        return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith(name))

    before = mebibytes("VmRSS")
    reset.write_text("5")
    work()
    return mebibytes("VmHWM") - before


def relative(found: Tensor, expected: Tensor) -> float:
    """Return the relative root-mean-square difference."""
    return float(torch.linalg.vector_norm(found - expected) / torch.linalg.vector_norm(expected))
