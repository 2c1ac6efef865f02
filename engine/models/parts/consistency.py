"""The data-consistency family of unrolled networks: hard, soft, gradient step and proximal step, in the image domain.

With ``A = M F S`` and measured samples ``k0`` (zero where nothing was measured), every member needs the estimate x only through
``A^H A x``, so that neither coils nor Fourier transforms are left where the operator has Gram matrices. For a mask of zeros
and ones ``M^2 = M`` and

``S^H F^-1 [(1 - M) F S x + M (F S x + v k0) / (1 + v)] = (S^H S) x - v / (1 + v) (A^H A x - A^H k0)``,

whose limit for large v is the hard form. ``S^H S`` is 1 inside the object and 0 outside.

Sources: Schlemper et al., IEEE TMI 2018, eq. (7) (hard, soft); Hammernik et al., MRM 2018 (gradient); Aggarwal et al., IEEE TMI
2019 (proximal by conjugate gradients).
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from engine.core.axes import COIL
from engine.core.errors import InputError
from engine.models.contract import ReconInput
from engine.models.parts import forms
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c


class DataTerm:
    """What the measurement demands of an image; made once per call of a network.

    Coil maps that are being learned (they require a gradient) get one in all members but the proximal step; it then works on
    the k-space of all coils.

    Attributes
    ----------
    image
        ``A^H k0``, the coil-combined zero-filled image, complex (batch, frame, y, x).
    first
        The image to begin with: that of the input, or the zero-filled one.
    """

    def __init__(self, data: ReconInput) -> None:
        self._kspace = data.kspace
        self._operator = data.operator
        self._check = data.report.check
        self._binary = False  # not known yet
        if self._operator.maps.requires_grad:
            self.image: Tensor = self._adjoint(self._kspace)
        else:
            if not forms.plain():
                self._operator.prepare(self._check)
            self.image = self._operator.adjoint(self._kspace)
        self.first = self.image if data.first is None else data.first

    @cached_property
    def energy(self) -> Tensor:
        """``S^H S``, real (batch or 1, frame or 1, y, x)."""
        return self._operator.maps.abs().square().sum(COIL)

    def normal(self, x: Tensor) -> Tensor:
        """Return ``A^H A x``, complex (batch, frame, y, x); in the plain form by Fourier transforms of every coil."""
        if self._operator.maps.requires_grad:
            return self._adjoint(self._mask * fft2c(expand(x, self._operator.maps)))
        if forms.plain():
            return self._operator.adjoint(self._operator.forward(x))
        return self._operator.normal(x)

    def _adjoint(self, kspace: Tensor) -> Tensor:
        """Return ``A^H kspace``, differentiable with respect to the coil maps, which the operator's own is not."""
        return combine(ifft2c(self._mask * kspace), self._operator.maps)

    @cached_property
    def _mask(self) -> Tensor:
        return self._operator.mask.to(self._operator.maps.real.dtype)

    def gradient(self, x: Tensor) -> Tensor:
        """Return ``A^H (A x - k0)``, the gradient of ``1/2 |A x - k0|^2``; a gradient step is ``x - mu gradient(x)``."""
        return self.normal(x) - self.image

    def hard(self, x: Tensor) -> Tensor:
        """Return the image of x's k-space with all measured samples put in: ``S^H F^-1 [(1 - M) F S x + k0]``."""
        if forms.plain():
            return combine(ifft2c(self.fill(x)), self._operator.maps)
        self._require_binary()
        return self.energy * x - self.gradient(x)

    def soft(self, x: Tensor, v: float | Tensor) -> Tensor:
        """Return the image of ``(F S x + v k0) / (1 + v)`` at measured samples and of ``F S x`` elsewhere; v is not negative."""
        share = v / (1 + v)
        if forms.plain():
            spectrum = fft2c(expand(x, self._operator.maps))
            return combine(ifft2c(spectrum + share * (self.fill(x) - spectrum)), self._operator.maps)
        self._require_binary()
        return self.energy * x - share * self.gradient(x)

    def proximal(self, z: Tensor, weight: float | Tensor, iterations: int = 10, tolerance: float = 1e-6) -> Tensor:
        """Return ``argmin_x 1/2 |A x - k0|^2 + weight/2 |x - z|^2`` = ``(A^H A + weight)^-1 (A^H k0 + weight z)``.

        Exact where the operator has a direct solution, otherwise ``iterations`` conjugate gradients started at ``z``.
        Differentiable in ``z`` and ``weight``.
        """
        start = z.detach()
        return self._operator.solve(self.image + weight * z, weight, start, iterations, tolerance, self._check)

    def fill(self, x: Tensor) -> Tensor:
        """Return ``(1 - M) F S x + k0`` of every coil, complex (batch, frame, coil, ky, kx): measured samples unchanged."""
        self._require_binary()
        spectrum = fft2c(expand(x, self._operator.maps))
        return spectrum.masked_fill(self._operator.mask != 0, 0) + self._kspace

    def _require_binary(self) -> None:
        if not self._binary:
            require_binary(self._operator.mask)
            self._binary = True


def binary(mask: Tensor) -> bool:
    """Return whether a mask says of every sample that it was measured, or was not: nothing but zeros and ones."""
    return mask.dtype == torch.bool or bool(((mask == 0) | (mask == 1)).all())


def require_binary(mask: Tensor) -> None:
    """Raise ``InputError`` unless the mask is one of zeros and ones."""
    if not binary(mask):
        raise InputError(
            "data consistency replaces samples and needs a mask of zeros and ones (found other weights)",
            "Use a mask that says which samples were measured; weights belong into a gradient or proximal step.",
        )
