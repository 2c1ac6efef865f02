"""The Gram operator: ``A^H A`` of a Cartesian scan with a full readout, as one small matrix for each readout position.

Such a mask does not depend on kx, so the transform along the readout drops out of ``A^H A`` and the columns x of the image
are independent: ``G_x[y, y'] = (sum_c conj(S_c(y, x)) S_c(y', x)) psf(y - y')`` with ``psf`` the inverse transform of the
squared mask along ky. No coils and no FFT are left; all frames that share a mask are right-hand sides of one batched
matrix product, and ``(A^H A + w I)^-1`` is an exact batched Cholesky solve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Self

import torch
from torch import Tensor

from engine.core.axes import X, Y
from engine.core.errors import InputError, ShapeError
from engine.physics.solvers import linear, proximal

_CHUNK_ELEMENTS = 1 << 18
# A Gram matrix is read once for all frames that share it. Measured on 10 coils x 204 x 448: 35 ms for a group of up to 12 frames,
# against 13 ms for each frame by FFT; with fewer frames to a group the Fourier transforms win, and need no set-up.
_FRAMES_PER_GROUP = 3


class GramOperator:
    """Batched Gram matrices and what can be done with them.

    Parameters
    ----------
    matrices
        Hermitian, complex (batch, group, x, y, y'). The frames of a group share mask and maps: one group for a mask that is the
        same in all frames, as many as there are frames when each has its own.
    groups
        For each group the frames it serves; None says that one group serves all frames.

    Notes
    -----
    ``columns`` in the method names below is the layout of the products: (batch, x, y, frame), so that frames are the
    right-hand sides. Iterative methods gain by staying in it (:meth:`to_columns`, :meth:`to_image`).
    """

    def __init__(self, matrices: Tensor, groups: Sequence[Sequence[int]] | None = None) -> None:
        if matrices.ndim != 5 or matrices.shape[-1] != matrices.shape[-2]:
            raise ShapeError(
                f"Gram matrices need the axes (batch, group, x, y, y') with equal y (found {tuple(matrices.shape)})",
                "Build them with gram_matrices.",
            )
        if (1 if groups is None else len(groups)) != matrices.shape[1]:
            raise ShapeError(
                f"Gram matrices do not fit their groups of frames (expected {matrices.shape[1]} groups / found "
                f"{1 if groups is None else len(groups)})",
                "Give one list of frames for each group.",
            )
        self.matrices = matrices
        self._indices = None if groups is None else [torch.as_tensor(list(g), device=matrices.device) for g in groups]
        self._factor: tuple[float, Tensor] | None = None
        self._inverse: tuple[float, Tensor] | None = None

    @property
    def groups(self) -> int:
        """Number of groups of frames."""
        return int(self.matrices.shape[1])

    def with_own_factors(self) -> Self:
        """Return an operator that shares the matrices and keeps factors of its own."""
        other = copy(self)
        other._factor = other._inverse = None
        return other

    # --- layout -------------------------------------------------------------------------------------------------------

    @staticmethod
    def to_columns(image: Tensor) -> Tensor:
        """Return (batch, frame, y, x) as contiguous (batch, x, y, frame)."""
        return image.permute(0, 3, 2, 1).contiguous()

    @staticmethod
    def to_image(columns: Tensor) -> Tensor:
        """Return (batch, x, y, frame) as contiguous (batch, frame, y, x)."""
        return columns.permute(0, 3, 2, 1).contiguous()

    def _per_group(self, matrices: Tensor, columns: Tensor, factored: bool) -> Tensor:
        """Multiply (or solve with Cholesky factors) group by group; ``columns`` is (batch, x, y, frame)."""

        def one(matrix: Tensor, right: Tensor) -> Tensor:
            matrix = matrix.expand(right.shape[0], *matrix.shape[1:])
            if not factored:
                return matrix @ right
            # Two triangular solves: cholesky_solve copies all factors first and takes 1.6 times as long.
            forward: Tensor = torch.linalg.solve_triangular(matrix, right, upper=False)
            backward: Tensor = torch.linalg.solve_triangular(matrix.mH, forward, upper=True)
            return backward

        if self._indices is None:
            return one(matrices[:, 0], columns)
        result = torch.empty_like(columns)
        for number, index in enumerate(self._indices):
            if index.numel() == 0:  # a group of other frames than those selected
                continue
            result[..., index] = one(matrices[:, number], columns[..., index])
        return result

    # --- products and solves ------------------------------------------------------------------------------------------

    def apply(self, image: Tensor) -> Tensor:
        """Return ``A^H A image``, complex (batch, frame, y, x). Differentiable."""
        self._check(image)
        return linear(image, self._apply, self._apply)

    def _apply(self, image: Tensor) -> Tensor:
        return self.to_image(self.apply_columns(self.to_columns(image)))

    def apply_columns(self, columns: Tensor) -> Tensor:
        """Return ``A^H A`` times (batch, x, y, frame), in that layout. Not differentiable."""
        return self._per_group(self.matrices, columns, factored=False)

    def factor(self, weight: float, check: Callable[[], None] | None = None) -> Tensor:
        """Return the lower Cholesky factors of ``A^H A + weight I`` (batch, group, x, y, y'); the last weight's are kept.

        Parameters
        ----------
        weight
            Not negative.
        check
            Called every few columns; raises to stop (cancellation).

        Raises
        ------
        InputError
            When the weight is negative or not finite, or so small that the matrices are singular in this precision.
        """
        weight = float(weight)
        if not 0.0 <= weight < float("inf"):
            raise InputError(f"the weight of a proximal step must be finite and not negative (found {weight})", "Use about 0.01.")
        if self._factor is None or self._factor[0] != weight:
            self._factor = None  # two factors at once would double the peak
            self._factor = (weight, self._per_column(self.matrices, lambda part: self._cholesky(part, weight), check))
        return self._factor[1]

    @staticmethod
    def _cholesky(matrices: Tensor, weight: float) -> Tensor:
        shifted = matrices.clone()
        shifted.diagonal(dim1=-2, dim2=-1).add_(weight)
        factor: Tensor
        factor, info = torch.linalg.cholesky_ex(shifted)
        if bool((info != 0).any()):
            raise InputError(
                f"A^H A + {weight:g} I is singular in {matrices.dtype} (expected a positive definite matrix)",
                "Use a larger weight; 1e-3 is small for maps with unit root sum of squares.",
            )
        return factor

    def inverse(self, weight: float, check: Callable[[], None] | None = None) -> Tensor:
        """Return ``(A^H A + weight I)^-1`` as matrices (batch, group, x, y, y'); the last weight's are kept.

        Costs as much again as :meth:`factor` or a little more, and makes each later :meth:`solve` with that weight a plain
        product: worth it on a GPU and for many solves.
        """
        weight = float(weight)
        if self._inverse is None or self._inverse[0] != weight:
            factor = self.factor(weight, check)
            self._inverse = None
            # torch.linalg.inv of torch 2.13 fails on batches of complex64 256 x 256 on the CPU; the Cholesky way does not.
            self._inverse = (weight, self._per_column(factor, torch.cholesky_inverse, check))
        return self._inverse[1]

    @staticmethod
    def _per_column(matrices: Tensor, work: Callable[[Tensor], Tensor], check: Callable[[], None] | None) -> Tensor:
        """Return ``work`` of the matrices, a few columns at a time."""
        # Ordinary tensors even under inference mode: a training step may use the same operator later.
        with torch.inference_mode(False), torch.no_grad():
            result = torch.empty_like(matrices)
            for part in column_chunks(matrices.shape[2], matrices.shape[-1], matrices.device):
                if check is not None:
                    check()
                result[:, :, part] = work(matrices[:, :, part])
            return result

    def solve(self, rhs: Tensor, weight: float | Tensor) -> Tensor:
        """Return ``(A^H A + weight I)^-1 rhs``, complex (batch, frame, y, x). Differentiable in ``rhs`` and ``weight``."""
        self._check(rhs)
        return proximal(rhs, weight, self._solve)

    def _solve(self, rhs: Tensor, weight: float) -> Tensor:
        return self.to_image(self.solve_columns(self.to_columns(rhs), weight))

    def solve_columns(self, columns: Tensor, weight: float) -> Tensor:
        """Return ``(A^H A + weight I)^-1`` times (batch, x, y, frame), in that layout. Not differentiable."""
        if self._inverse is not None and self._inverse[0] == float(weight):
            return self._per_group(self._inverse[1], columns, factored=False)
        return self._per_group(self.factor(weight), columns, factored=True)

    def crop_readout(self, start: int, stop: int) -> GramOperator:
        """Return the operator of the columns ``start .. stop`` of the readout: an exact, smaller problem (a view)."""
        width = self.matrices.shape[2]
        if not 0 <= start < stop <= width:
            raise ShapeError(
                f"readout crop {start}..{stop} is outside the image (expected 0 <= start < stop <= {width})",
                "Crop within the readout.",
            )
        cropped = copy(self)
        cropped.matrices = self.matrices[:, :, start:stop]
        cropped._factor = None if self._factor is None else (self._factor[0], self._factor[1][:, :, start:stop])
        cropped._inverse = None if self._inverse is None else (self._inverse[0], self._inverse[1][:, :, start:stop])
        return cropped

    def select_frames(self, start: int, stop: int) -> GramOperator:
        """Return the operator of the frames ``start .. stop``: the same matrices, itself where they serve any frame.

        Where the frames are one group, its matrices are left alone, and serve any number of frames.
        """
        if self._indices is None:
            return self
        indices = [index[(index >= start) & (index < stop)] - start for index in self._indices]
        used = [number for number, index in enumerate(indices) if index.numel()]
        only = slice(used[0], used[0] + 1) if len(used) == 1 else slice(None)
        selected = copy(self)
        selected.matrices = self.matrices[:, only]
        selected._factor = None if self._factor is None else (self._factor[0], self._factor[1][:, only])
        selected._inverse = None if self._inverse is None else (self._inverse[0], self._inverse[1][:, only])
        selected._indices = None if len(used) == 1 else indices
        return selected

    def _check(self, image: Tensor) -> None:
        batch, _, width, height, _ = self.matrices.shape
        frames = None if self._indices is None else sum(len(i) for i in self._indices)
        wrong = image.ndim != 4 or image.shape[X] != width or image.shape[Y] != height
        wrong = wrong or (batch not in (1, image.shape[0])) or (frames is not None and image.shape[1] != frames)
        if wrong:
            raise ShapeError(
                f"image does not fit the Gram operator (expected batch {batch}, frame {frames or 'any'}, y {height}, x {width} / "
                f"found {tuple(image.shape)})",
                "Use the image of the same k-space.",
            )


def point_spread_matrix(energy: Tensor) -> Tensor:
    """Return ``F^H diag(energy) F`` of the centred orthonormal transform, complex (..., y, y'), from real (..., ky).

    Circulant: element ``[y, y']`` is ``psf(y - y')``, the inverse transform of the squared mask weights.
    """
    size = energy.shape[-1]
    psf: Tensor = torch.fft.ifft(torch.fft.ifftshift(energy, dim=-1), dim=-1)
    index = torch.arange(size, device=energy.device)
    return psf[..., (index[:, None] - index[None, :]) % size]


def gram_matrices(energy: Tensor, maps: Tensor, check: Callable[[], None] | None = None, rows: Tensor | None = None) -> Tensor:
    """Return the Gram matrices, complex (batch, group, x, y, y').

    Parameters
    ----------
    energy
        Squared weights of the mask, real (batch or 1, group or 1, ky).
    maps
        Complex (batch or 1, group or 1, coil, y, x).
    check
        Called every few columns; raises to stop (cancellation).
    rows
        Where in the image the rows y of the maps lie; None: where they are.
    """
    columns = maps.permute(0, 1, 4, 3, 2).contiguous()  # (batch, group, x, y, coil)
    spread = point_spread_matrix(energy.to(columns.real.dtype)).unsqueeze(-3)  # (batch, group, 1, y, y')
    if rows is not None:
        spread = spread[..., rows[:, None], rows]
    batch, groups = (max(a, b) for a, b in zip(columns.shape[:2], spread.shape[:2], strict=True))
    width, height = columns.shape[2:4]
    matrices = columns.new_empty((batch, groups, width, height, height))
    for part in column_chunks(width, height, columns.device):
        if check is not None:
            check()
        chunk = columns[:, :, part]
        torch.mul(chunk.conj() @ chunk.mT, spread, out=matrices[:, :, part])
    return matrices


def group_frames(energy: Tensor) -> tuple[Tensor, list[list[int]]]:
    """Return the distinct masks (batch or 1, group, ky) and the frames of each, from (batch or 1, frame, ky)."""
    rows = energy.transpose(0, 1).flatten(1).cpu()
    found: dict[bytes, list[int]] = {}
    for frame, row in enumerate(rows):
        found.setdefault(row.numpy().tobytes(), []).append(frame)
    groups = list(found.values())
    return energy[:, [group[0] for group in groups]], groups


def worth_a_gram(maps: Tensor, batch: int, size: int, groups: Sequence[Sequence[int]] | None, limit_mib: float) -> bool:
    """Return whether matrices of ``size`` x ``size`` for each column of the maps fit a limit, and are cheaper than transforms."""
    mib = batch * (len(groups) if groups else 1) * maps.shape[-1] * size**2 * maps.element_size() / 2**20
    return mib <= limit_mib and (groups is None or _FRAMES_PER_GROUP * len(groups) <= sum(map(len, groups)))


def column_chunks(width: int, height: int, device: torch.device) -> Iterator[slice]:
    """Yield the columns to work on at once: all on a GPU, on a CPU so few that their matrices stay in its cache."""
    step = max(1, _CHUNK_ELEMENTS // height**2) if device.type == "cpu" else width
    for first in range(0, width, step):
        yield slice(first, min(width, first + step))
