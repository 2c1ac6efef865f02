"""Coil maps: our ESPIRiT against the full-size form, sigpy and BART, by CPU seconds of one thread and by angle error."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.bench.contract import BENCHES, BenchSpec, seconds
from engine.bench.reconstruction_peers import bart_seconds, write_cfl
from engine.core.jobs import Reporter
from engine.core.records.machine import BenchResult
from engine.core.types import Complex
from engine.physics.coil_maps import estimate
from engine.physics.coils import expand
from engine.physics.espirit import calibration_matrix
from engine.physics.fourier import fft2c, ifft2c

ACS = 24
KERNEL = 6
THRESHOLD = 0.02
SNR = 40.0


@dataclass(frozen=True, slots=True)
class Case:
    """k-space complex64 (1, coil, ky, kx), the true maps (coil, y, x) and the body in which errors are counted (y, x)."""

    kspace: Tensor
    truth: Tensor
    body: Tensor


def run(quick: bool, report: Reporter) -> Iterator[BenchResult]:
    """Yield one line for each peer that is here."""
    shape = (6, 102, 224) if quick else (10, 204, 448)
    case = make_case(*shape)
    name = f"{shape[0]} coils, {shape[1]} x {shape[2]}, {ACS} x {ACS} ACS"
    first = shape[1] // 2 - ACS // 2
    report.step(0, 4, "our ESPIRiT")
    ours_s, maps = seconds(lambda: estimate(case.kspace, acs=(first, first + ACS))[0], 5)
    ours = angle_error(maps, case)
    peers: list[tuple[str, Callable[[], tuple[float, Tensor] | None]]] = [
        ("plain full-size ESPIRiT", lambda: seconds(lambda: full_size_espirit(case.kspace[0]), 1)),
        ("sigpy EspiritCalib", lambda: _sigpy(case.kspace[0])),
        ("BART ecalib", lambda: _bart(case.kspace[0])),
    ]
    for number, (peer, measure) in enumerate(peers, start=1):
        report.step(number, 4, peer)
        measured = measure()
        if measured is None:
            continue
        other_s, other = measured
        yield BenchResult(
            benchmark="coil_maps",
            case=name,
            ours_s=ours_s,
            other=peer,
            other_s=other_s,
            ratio=other_s / ours_s,
            quality_ours=f"angle error {ours:.4f}",
            quality_other=f"angle error {angle_error(other, case):.4f}",
            difference=f"angle between them {angle_error(maps, Case(case.kspace, other, case.body)):.4f} rms",
        )


def make_case(coils: int, height: int, width: int) -> Case:
    """Return a body with organs and a smooth phase, seen by loops around it, with noise of image SNR 40.

    Each coil is two opposite line currents outside the body: in two dimensions their field is the analytic function
    ``1/(z - a) - 1/(z - b)`` of ``z = x + iy`` (Biot-Savart).
    """
    y, x = torch.meshgrid(
        (torch.arange(height, dtype=torch.float64) - height // 2) / height,
        (torch.arange(width, dtype=torch.float64) - width // 2) * 2 / width,  # the readout is oversampled twice
        indexing="ij",
    )
    z = torch.complex(x, y)
    angles = 2 * torch.pi * torch.arange(coils, dtype=torch.float64) / coils
    half = 0.8 * torch.pi / coils

    def wire(angle: Tensor) -> Tensor:
        return torch.complex(0.62 * torch.cos(angle), 0.48 * torch.sin(angle))[:, None, None]

    fields = 1 / (z - wire(angles - half)) - 1 / (z - wire(angles + half))  # (coil, y, x)

    def ellipse(cx: float, cy: float, ax: float, ay: float) -> Tensor:
        return ((x - cx) / ax) ** 2 + ((y - cy) / ay) ** 2 < 1

    body = ellipse(0, 0, 0.5, 0.36)
    organs = [
        (-0.2, 0.0, 0.16, 0.22, -0.6),
        (0.24, 0.02, 0.14, 0.2, -0.6),
        (0.03, -0.06, 0.12, 0.12, 0.9),
        (0.0, 0.24, 0.05, 0.05, -0.3),
    ]
    image = body.to(torch.float64)
    for *place, change in organs:
        image = image + change * ellipse(*place)
    phased = image * torch.exp(1j * (2.0 * x - 1.5 * y + 3.0 * x * y))
    generator = torch.Generator().manual_seed(7)
    # Maps that combine to one: the loops' intensity profile belongs to the image.
    length = torch.linalg.vector_norm(fields, dim=0)
    truth = fields / length
    kspace = fft2c(expand((phased * length / length[body].mean())[None, None], truth))[0]
    noise = torch.randn(kspace.shape, dtype=torch.complex128, generator=generator) / SNR
    return Case((kspace + noise).to(torch.complex64), truth.to(torch.complex64), body)


def angle_error(maps: Tensor, case: Case) -> float:
    """Return the rms sine of the angle between estimated and true coil vectors over the body."""
    found, truth = maps[:, case.body].to(torch.complex128), case.truth[:, case.body].to(torch.complex128)
    product = (found.conj() * truth).sum(0).abs().square()
    lengths = found.abs().square().sum(0) * truth.abs().square().sum(0)
    cosine = torch.where(lengths > 0, product / lengths.clamp_min(1e-30), 0.0)
    return float((1 - cosine).clamp_min(0).mean().sqrt())


def full_size_espirit(kspace: Tensor) -> Tensor:
    """Return ESPIRiT maps (coil, y, x) the plain way: every kernel transformed to full size, an eigenproblem per pixel."""
    coils, height, width = kspace.shape
    block = _centre(kspace)
    windows = calibration_matrix(block[None], (KERNEL, KERNEL))
    values, vectors = torch.linalg.eigh(windows @ windows.mH)
    kernels = vectors[:, values > THRESHOLD**2 * values[-1]].T.reshape(-1, coils, KERNEL, KERNEL)
    matrices = torch.zeros((height, width, coils, coils), dtype=kspace.dtype)
    top, left = height // 2 - KERNEL // 2, width // 2 - KERNEL // 2
    for kernel in kernels:
        padded = torch.zeros((coils, height, width), dtype=kspace.dtype)
        padded[:, top : top + KERNEL, left : left + KERNEL] = kernel
        images = ifft2c(padded).permute(1, 2, 0)
        matrices += images.unsqueeze(-1) * images.conj().unsqueeze(-2)
    maps: Tensor = torch.linalg.eigh(matrices)[1][..., -1].permute(2, 0, 1)
    return maps


def _centre(kspace: Tensor) -> Tensor:
    top, left = (n // 2 - ACS // 2 for n in kspace.shape[-2:])
    return kspace[..., top : top + ACS, left : left + ACS]


def _sigpy(kspace: Tensor) -> tuple[float, Tensor] | None:
    if importlib.util.find_spec("sigpy") is None:
        return None
    from sigpy.mri.app import EspiritCalib

    array = kspace.numpy()
    spent, maps = seconds(
        lambda: EspiritCalib(array, calib_width=ACS, kernel_width=KERNEL, thresh=THRESHOLD, crop=0, show_pbar=False).run(), 1
    )
    return spent, torch.from_numpy(np.asarray(maps, dtype=np.complex64))


def _bart(kspace: Tensor) -> tuple[float, Tensor] | None:
    program = shutil.which("bart")
    if program is None:
        return None
    coils, height, width = kspace.shape
    with tempfile.TemporaryDirectory() as folder:
        # BART's first axis is the fastest: (kx, ky, 1, coil); the bytes stay in order.
        write_cfl(Path(folder) / "kspace", kspace.numpy(), (width, height, 1, coils))
        arguments = ["ecalib", "-m1", f"-r{ACS}", f"-k{KERNEL}", "-c0", "kspace", "maps"]
        best = min(bart_seconds(program, arguments, folder) for _ in range(3))
        return best, torch.from_numpy(_read_cfl(Path(folder) / "maps", tuple(kspace.shape)))


def _read_cfl(path: Path, shape: tuple[int, ...]) -> Complex:
    return np.fromfile(path.with_suffix(".cfl"), dtype=np.complex64).reshape(shape)


BENCHES.register("coil_maps", BenchSpec(name="coil_maps", title="Coil sensitivity maps", run=run))
