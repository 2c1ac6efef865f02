"""Data sharing: k-space samples averaged over neighbouring frames, in the frames that did not measure them."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.core.axes import KSPACE_FRAME
from engine.models.contract import ReconInput
from engine.physics.operator import SenseOperator


def share_kspace(data: ReconInput, distance: int) -> Tensor:
    """Return the image whose missing samples are the mean over the frames t - distance .. t + distance that measured them.

    Frames are circular (a cine is). Samples that the frame measured itself stay. Coil maps are those of the receiving frame.
    Complex (batch, frame, y, x).

    Source: Schlemper et al., IEEE TMI 2018, section III-D (data sharing layer).
    """
    kspace, mask = data.kspace, (data.operator.mask != 0).expand(-1, data.kspace.shape[KSPACE_FRAME], -1, -1, -1)
    total, count = kspace, mask.to(kspace.real.dtype)
    for step in range(1, distance + 1):
        for shift in (-step, step):
            total = total + kspace.roll(shift, KSPACE_FRAME)
            count = count + mask.roll(shift, KSPACE_FRAME)
    shared = torch.where(mask, kspace, total / count.clamp(min=1))
    return SenseOperator(count > 0, data.operator.maps).adjoint(shared)


def share_images(image: Tensor, distance: int) -> Tensor:
    """Return the mean of complex (batch, frame, y, x) over the frames t - distance .. t + distance, circular."""
    total = image
    for step in range(1, distance + 1):
        total = total + image.roll(step, 1) + image.roll(-step, 1)
    return total / (2 * distance + 1)


def average_of_frames(data: ReconInput) -> Tensor:
    """Return one image of all frames, every sample averaged over the frames that measured it, as (batch, frame, y, x).

    Where the mask moves it is better sampled than any frame; coil maps are those of each frame.
    """
    frames = data.kspace.shape[KSPACE_FRAME]
    mask = (data.operator.mask != 0).expand(-1, frames, -1, -1, -1)
    count = mask.to(data.kspace.real.dtype).sum(KSPACE_FRAME, keepdim=True)
    mean = data.kspace.sum(KSPACE_FRAME, keepdim=True) / count.clamp(min=1)
    operator = SenseOperator(count > 0, data.operator.maps)
    return operator.adjoint(mean.expand_as(data.kspace).contiguous())
