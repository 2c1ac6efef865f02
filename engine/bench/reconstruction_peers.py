"""Other programs that reconstruct, run where they are installed, and the plain implementations that ours are measured against."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from engine.bench.contract import seconds
from engine.core.errors import DependencyError
from engine.core.types import Complex
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One slice: k-space complex64 (frame, coil, ky, kx), mask bool (1, ky, 1), maps (coil, y, x), truth (frame, y, x)."""

    kspace: Tensor
    mask: Tensor
    maps: Tensor
    truth: Tensor
    acceleration: int
    acs: tuple[int, int]


Timed = tuple[float, Tensor]


def module(name: str) -> ModuleType | None:
    """Return an installed module, or None."""
    return importlib.import_module(name) if importlib.util.find_spec(name.split(".", maxsplit=1)[0]) is not None else None


# --- plain forms --------------------------------------------------------------------------------------------------------------


def plain_normal(problem: Problem) -> Callable[[Tensor], Tensor]:
    """Return ``A^H A`` on (frame, y, x) as one writes it down: expand, centred FFT, mask, inverse FFT, combine."""
    maps, mask = problem.maps, problem.mask[:, None]
    return lambda image: combine(ifft2c(fft2c(expand(image, maps)) * mask), maps)


def plain_cg(problem: Problem, weight: float, iterations: int = 15) -> Timed:
    """Time CG-SENSE with FFTs in each iteration."""

    def work() -> Tensor:
        rhs = combine(ifft2c(problem.kspace), problem.maps)
        normal = plain_normal(problem)
        x = torch.zeros_like(rhs)
        residual = direction = rhs
        energy = torch.linalg.vector_norm(residual, dim=(-2, -1), keepdim=True).square()
        for _ in range(iterations):
            image = normal(direction) + weight * direction
            step = energy / (direction.conj() * image).sum((-2, -1), keepdim=True).real
            x = x + step * direction
            residual = residual - step * image
            renewed = torch.linalg.vector_norm(residual, dim=(-2, -1), keepdim=True).square()
            direction = residual + renewed / energy * direction
            energy = renewed
        return x

    return seconds(work, 1)


def plain_low_rank_sparse(problem: Problem, low_rank: float, sparse: float, iterations: int) -> Timed:
    """Time L + S by the published iteration: FFTs and a singular value decomposition, no Gram matrices."""

    def work() -> Tensor:
        start = combine(ifft2c(problem.kspace), problem.maps)
        normal = plain_normal(problem)
        threshold = sparse * start.abs().max()
        m, s = start, torch.zeros_like(start)
        image = low = start
        for _ in range(iterations):
            frequencies = torch.fft.fft(m - low, dim=0, norm="ortho")
            u, values, v = torch.linalg.svd((m - s).flatten(1), full_matrices=False)
            low = ((u * (values - low_rank * values[0]).clamp(min=0)) @ v).reshape(m.shape)
            magnitude = frequencies.abs()
            s = torch.fft.ifft(frequencies * (1 - threshold / magnitude.clamp(min=1e-30)).clamp(min=0), dim=0, norm="ortho")
            image = low + s
            m = image - (normal(image) - start)
        return image

    return seconds(work, 1)


# --- Python peers -------------------------------------------------------------------------------------------------------------


def sigpy(app: str, iterations: int, problem: Problem, weight: float) -> Timed | None:
    """Time an app of sigpy, frame by frame (they have no frame axis): SenseRecon, or L1WaveletRecon (db4, no random shifts)."""
    apps = module("sigpy.mri.app")
    if apps is None:
        return None
    kspace, maps, sampled = problem.kspace.numpy(), problem.maps.numpy(), _weights(problem)
    make = getattr(apps, app)

    def work() -> Complex:
        return np.stack([make(k, maps, lamda=weight, weights=sampled, max_iter=iterations, show_pbar=False).run() for k in kspace])

    spent, images = seconds(work, 1)
    return spent, torch.from_numpy(images)


def _weights(problem: Problem) -> np.ndarray:
    return np.broadcast_to(problem.mask.numpy(), (1, *problem.kspace.shape[-2:])).astype(np.float32)


def mrpro_sense(problem: Problem, weight: float, iterations: int = 15) -> Timed | None:
    """Time mrpro's operators with its conjugate gradients."""
    operators, optimizers = module("mrpro.operators"), module("mrpro.algorithms.optimizers")
    if operators is None or optimizers is None:
        return None
    fourier = operators.FastFourierOp(dim=(-2, -1))
    coils = operators.SensitivityOp(problem.maps[None, :, None])  # (other, coil, z, y, x)
    mask = problem.mask[0][None, None, None]
    kspace = problem.kspace[:, :, None]

    class Masking(operators.LinearOperator):  # type: ignore[name-defined,misc]  # a peer that is imported when it is there
        """Sampling as a product: the peer's own has to be built from trajectories."""

        def __call__(self, x: Tensor) -> tuple[Tensor]:
            return (x * mask,)

        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (x * mask,)

        def adjoint(self, x: Tensor) -> tuple[Tensor]:
            return (x * mask,)

    def work() -> Tensor:
        acquisition = Masking() @ fourier @ coils
        normal = acquisition.H @ acquisition + weight * operators.IdentityOp()
        (rhs,) = acquisition.H(kspace)
        (image,) = optimizers.cg(normal, rhs, max_iterations=iterations, tolerance=0)
        result: Tensor = image[:, 0, 0]
        return result

    return seconds(work, 1)


def pygrappa(form: str, problem: Problem, weight: float) -> Timed | None:
    """Time pygrappa's ``grappa`` or ``mdgrappa`` (its fastest), frame by frame; the smallest kernel that reaches over the gaps."""
    peer = module("pygrappa")
    if peer is None:
        return None
    kspace = problem.kspace.numpy()
    first, last = problem.acs
    size = (problem.acceleration + 1 - problem.acceleration % 2, 5)
    fill = getattr(peer, form)

    def work() -> Tensor:
        filled = [fill(k, np.ascontiguousarray(k[:, first:last]), kernel_size=size, coil_axis=0, lamda=weight) for k in kspace]
        return combine(ifft2c(torch.from_numpy(np.stack(filled).astype(np.complex64))), problem.maps)

    return seconds(work, 1)


# --- BART ---------------------------------------------------------------------------------------------------------------------


class Bart:
    """BART's ``pics`` on one problem: the files are written once, each call is a process whose CPU time is taken.

    Use as a context manager; the folder goes when it is left.

    Raises
    ------
    DependencyError
        BART is not on the path.
    """

    def __init__(self, problem: Problem) -> None:
        program = shutil.which("bart")
        if program is None:
            raise DependencyError("BART is not installed (expected the program bart on the path)", "Install the package bart.")
        self._program = program
        self._problem = problem
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Bart:
        frames, coils, height, width = self._problem.kspace.shape
        folder = Path(self._folder.name)
        # BART's first axis is the fastest: x, y, z, coil, ..., and frames on its axis 10. The bytes stay in order.
        write_cfl(folder / "kspace", self._problem.kspace.numpy(), (width, height, 1, coils, 1, 1, 1, 1, 1, 1, frames))
        write_cfl(folder / "maps", self._problem.maps.numpy(), (width, height, 1, coils))
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def pics(self, options: Sequence[str]) -> Timed:
        """Return CPU seconds of one thread and the images (frame, y, x) of ``bart pics options``."""
        spent = bart_seconds(self._program, ["pics", *options, "kspace", "maps", "image"], self._folder.name)
        image = np.fromfile(Path(self._folder.name) / "image.cfl", dtype=np.complex64)
        return spent, torch.from_numpy(image.reshape(tuple(self._problem.truth.shape)))


def bart_seconds(program: str, arguments: Sequence[str], folder: str | Path) -> float:
    """Run BART in a folder and return the CPU seconds of its one thread."""
    import resource  # not on Windows, where there is no BART either

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, *arguments], cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def has_bart() -> bool:
    """Whether BART is on the path."""
    return shutil.which("bart") is not None


def write_cfl(path: Path, array: Complex, dims: Sequence[int]) -> None:
    """Write ``array`` in C order as BART's pair of files; ``dims`` is its shape backwards, with BART's empty axes."""
    listed = [*dims, *([1] * (16 - len(dims)))]
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{' '.join(map(str, listed))}\n", encoding="ascii")
    np.ascontiguousarray(array, dtype=np.complex64).tofile(path.with_suffix(".cfl"))
