"""The k-space iteration of variational networks, ``k <- k - eta M (k - k0) + F S r``, kept as two images.

With ``k = k0`` at the start and a mask M of zeros and ones (``M M = M``) every iterate is ``k_t = k0 + F S u_t - M F S v_t`` where

``u_{t+1} = u_t + r_t`` and ``v_{t+1} = v_t + eta_t (u_t - v_t)``,

so what a cascade needs of it, its coil-combined image, is ``S^H F^-1 k_t = A^H k0 + (S^H S) u_t - A^H A v_t``: neither coils
nor Fourier transforms where the operator has Gram matrices. ``S^H S`` is 1 inside the object and 0 outside.

An image x to begin with in place of the zero-filled one fills what was not measured: ``k_0 = k0 + (1 - M) F S x``, which is
``u = v = x``.

Source of the iteration: Sriram et al., MICCAI 2020 (end-to-end variational network); Yiasemis et al., CVPR 2022 (recurrent
variational network). The sign in front of the network's residual r is "+" here; networks written with "-" give ``-r``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from engine.core.axes import COIL
from engine.core.jobs import Check
from engine.models.parts import forms
from engine.models.parts.consistency import binary
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator


class KSpaceIterate(ABC):
    """The k-space estimate k_t of a cascade; begins with :meth:`start`."""

    @staticmethod
    def start(kspace: Tensor, operator: SenseOperator, check: Check | None = None, first: Tensor | None = None) -> KSpaceIterate:
        """Return the iteration at ``k_0 = kspace``, or with ``first`` where nothing was measured.

        Parameters
        ----------
        kspace
            Measured samples, zero elsewhere, complex (batch, frame, coil, ky, kx).
        operator
            Of the same data. With a mask that has other weights than 0 and 1, with coil maps that are being learned, and under
            :func:`engine.models.parts.forms.plain_forms` the iteration is carried out on the k-space of all coils.
        check
            Called while Gram matrices are made; raises to stop.
        first
            Image to begin with, complex (batch, frame, y, x), or None for the zero-filled one.
        """
        if forms.plain() or operator.maps.requires_grad or not binary(operator.mask):
            return ExplicitIterate(kspace, operator, first)
        operator.prepare(check)
        return CombinedIterate(kspace, operator, first)

    @abstractmethod
    def image(self) -> Tensor:
        """Return ``S^H F^-1 k_t``, complex (batch, frame, y, x)."""

    @abstractmethod
    def update(self, eta: float | Tensor, residual: Tensor) -> None:
        """Go to ``k_{t+1} = k_t - eta M (k_t - k0) + F S residual``; the residual is complex (batch, frame, y, x)."""

    @abstractmethod
    def kspace(self) -> Tensor:
        """Return k_t itself, complex (batch, frame, coil, ky, kx)."""


class ExplicitIterate(KSpaceIterate):
    """The iteration as it is written, on the k-space of all coils. Differentiable, also with respect to the coil maps."""

    def __init__(self, kspace: Tensor, operator: SenseOperator, first: Tensor | None = None) -> None:
        self._measured = kspace
        self._maps = operator.maps
        self._mask = operator.mask.to(operator.maps.real.dtype)
        self._current = kspace
        if first is not None:
            self._current = kspace + (1.0 - self._mask) * fft2c(expand(first, self._maps))

    def image(self) -> Tensor:
        """Return ``S^H F^-1 k_t``."""
        return combine(ifft2c(self._current), self._maps)

    def update(self, eta: float | Tensor, residual: Tensor) -> None:
        """Go to the next iterate."""
        error = self._mask * (self._current - self._measured)
        self._current = self._current - eta * error + fft2c(expand(residual, self._maps))

    def kspace(self) -> Tensor:
        """Return k_t."""
        return self._current


class CombinedIterate(KSpaceIterate):
    """The iteration on the two images u and v. Differentiable in the residuals and in eta."""

    def __init__(self, kspace: Tensor, operator: SenseOperator, first: Tensor | None = None) -> None:
        self._measured = kspace
        self._operator = operator
        self._backprojected = operator.adjoint(kspace)
        self._energy = operator.maps.abs().square().sum(COIL)  # S^H S
        self._u = self._v = first
        self._image: Tensor | None = self._backprojected if first is None else None

    def image(self) -> Tensor:
        """Return ``S^H F^-1 k_t = A^H k0 + (S^H S) u_t - A^H A v_t``."""
        if self._image is None:
            assert self._u is not None
            self._image = torch.addcmul(self._backprojected, self._u, self._energy.to(self._u.dtype))
            if self._v is not None:
                self._image = self._image - self._operator.normal(self._v)
        return self._image

    def update(self, eta: float | Tensor, residual: Tensor) -> None:
        """Go to the next iterate."""
        if self._u is None:  # k is the measurement: whatever eta is, M (k - k0) = 0
            self._u = residual
        else:
            self._v = eta * self._u if self._v is None else self._v + eta * (self._u - self._v)
            self._u = self._u + residual
        self._image = None

    def kspace(self) -> Tensor:
        """Return ``k_t = k0 + F S u_t - M F S v_t``."""
        if self._u is None:
            return self._measured
        result = self._measured + fft2c(expand(self._u, self._operator.maps))
        return result if self._v is None else result - self._operator.forward(self._v)
