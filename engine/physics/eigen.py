"""Eigenvalues of Hermitian matrices, in double precision where the library does not find them in single precision."""

from __future__ import annotations

import torch
from torch import Tensor

LinAlgError: type[RuntimeError] = torch.linalg.LinAlgError  # type: ignore[attr-defined]  # missing in torch's own types


def eigh(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Return ascending eigenvalues, real (..., n), and eigenvectors (..., n, n) of Hermitian matrices (..., n, n).

    MKL's eigenvalues in single precision are NaN, or it gives up, for some matrices of low rank with rows of zeros, as masked
    images have them; those are decomposed again in double precision.

    Raises
    ------
    torch.linalg.LinAlgError
        The matrices hold NaN or infinity.
    """
    try:
        values, vectors = torch.linalg.eigh(gram)
        if bool(torch.isfinite(values).all()):
            return values, vectors
    except LinAlgError:
        if gram.dtype in (torch.complex128, torch.float64):
            raise
    values, vectors = torch.linalg.eigh(gram.to(torch.complex128 if gram.is_complex() else torch.float64))
    real = gram.real.dtype if gram.is_complex() else gram.dtype
    return values.to(real), vectors.to(gram.dtype)
