"""Thresholding steps of networks: singular values of frames and of Casorati matrices, soft thresholds, scalars kept positive."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.core.jobs import Check
from engine.models.parts import forms
from engine.physics.svt import casorati_threshold, relative_threshold


def lower_frames(images: Tensor, fraction: Tensor, check: Check) -> Tensor:
    """Threshold every frame of complex (batch, frame, y, x) by ``fraction`` of its largest singular value.

    Source: JotlasNet, eq. (17). The plain form decomposes by ``torch.linalg.svd``; its gradient is not finite where singular
    values repeat.
    """
    if forms.plain():
        return _by_library(images, fraction)
    return relative_threshold(images, fraction, check)


def lower_casorati(images: Tensor, fraction: Tensor, check: Check) -> Tensor:
    """Threshold the Casorati matrix (frame, y x) of every slice of (batch, frame, y, x) by a fraction of its largest value.

    Plain form as in :func:`lower_frames`.
    """
    if forms.plain():
        return _by_library(images.flatten(-2), fraction).reshape(images.shape)
    return casorati_threshold(images, fraction, check)


def _by_library(matrices: Tensor, fraction: Tensor) -> Tensor:
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    kept = torch.relu(s - fraction * s[..., :1])
    lowered: Tensor = (u * kept.unsqueeze(-2)) @ v
    return lowered


def shrink(features: Tensor, threshold: Tensor) -> Tensor:
    """Return ``sign(f) max(|f| - threshold, 0)`` of real features, without the sign's 0 / 0; not for negative thresholds."""
    return features - torch.clamp(features, -threshold, threshold)


def soft_threshold(features: Tensor, threshold: Tensor) -> Tensor:
    """Return ``sign(f) max(|f| - threshold, 0)`` of real features; a negative threshold raises magnitudes."""
    lowered = features.abs().sub_(threshold).relu_()
    signs = torch.sign(features)
    return lowered * signs if torch.is_grad_enabled() else lowered.mul_(signs)


def positive(scalar: Tensor) -> Tensor:
    """Return ``max(scalar, 0)`` for a learned scalar, with the gradient of the identity.

    A ReLU has no gradient below zero, nor at zero: a step size that one update carried below stays switched off for ever. In
    published weights the thresholds of ISTA-Net never left their start at zero, and all couplings of SLR-Net ended so.
    """
    return scalar + (torch.relu(scalar) - scalar).detach()
