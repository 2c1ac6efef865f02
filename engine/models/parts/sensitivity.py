"""Coil maps found by a network from the centre of k-space, and the choice between them and maps that are given.

Source: Sriram et al., MICCAI 2020 (E2E VarNet); the initial maps over their root sum of squares as in DIRECT and in Zhao et al.,
STACOM 2023, eq. (4).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor, nn

from engine.core.axes import COIL, KX, KY
from engine.core.errors import InputError
from engine.models.blocks import channels_to_frames, frames_to_channels, stack_frames, unstack_frames
from engine.models.contract import ReconInput
from engine.models.parts.unet import UNet2d
from engine.physics.calibration import measured_block
from engine.physics.coils import rss
from engine.physics.fourier import ifft2c
from engine.physics.operator import SenseOperator
from engine.sampling.acs import centre_lines

MAPS_HELP = "Coil maps: those that are given (ESPIRiT), or a U-Net's from the ACS lines, which is trained with the network"
POOLS = 4

UNet = Callable[[Tensor], Tensor]


class SensitivityNetwork(nn.Module):
    """Coil maps from the ACS: inverse FFT of the centre of k-space, over its root sum of squares, a U-Net, normalised again.

    Parameters
    ----------
    unet
        Real (n, channel, y, x) to the same. With two channels it sees every coil of every frame by itself; with two for each frame
        it sees all frames of a coil together. The weights are shared between coils.
    stacked
        Whether frames are channels.
    normalise_input
        Whether the U-Net sees the initial maps (DIRECT) or the coil images of the ACS as they are (fastMRI).
    """

    def __init__(self, unet: nn.Module, stacked: bool = False, normalise_input: bool = True) -> None:
        super().__init__()
        self.unet = unet
        self.stacked = stacked
        self.normalise_input = normalise_input

    def forward(self, data: ReconInput) -> Tensor:
        """Return maps with ``sum_c |S_c|^2 = 1``, complex (batch, frame, coil, y, x); 0 in pixels where the U-Net gives nothing.

        Raises
        ------
        InputError
            When the centre of k-space was not measured.
        """
        low = self._initial(data, centre_of(data))
        by_coil = low.transpose(1, 2)  # (batch, coil, frame, y, x)
        if self.normalise_input and low.shape[COIL] == 1:
            return low  # a single coil has nothing to be refined against (DIRECT)
        flat = by_coil.flatten(0, 1)
        frames = flat.shape[1]
        data.report.check()
        if self.stacked:
            refined = unstack_frames(self.unet(stack_frames(flat), data.report.check))
        else:
            refined = channels_to_frames(self.unet(frames_to_channels(flat), data.report.check), frames)
        data.report.check()
        return unit(refined.reshape(by_coil.shape).transpose(1, 2).to(data.kspace.dtype))

    def _initial(self, data: ReconInput, centre: Tensor) -> Tensor:
        """Return the coil images of the ACS, complex (batch, frame, coil, y, x), of unit norm where the U-Net wants them so."""
        images = []
        for kspace in torch.split(data.kspace, 1, dim=1):
            data.report.check()
            low = ifft2c(kspace * centre)
            images.append(unit(low) if self.normalise_input else low)
        return torch.cat(images, dim=1)


def unit(maps: Tensor) -> Tensor:
    """Return coil images (..., coil, y, x) over their root sum of squares; 0 where that is 0."""
    norm = rss(maps).unsqueeze(COIL)
    return torch.where(norm > 0, maps / torch.where(norm > 0, norm, 1.0), 0.0)


def centre_of(data: ReconInput) -> Tensor:
    """Return which samples are the calibration block: bool (ky, kx), lines or, where no lines are known, a measured rectangle.

    Raises
    ------
    InputError
        When the sample at k = 0 was not measured in all frames.
    """
    height, width = data.kspace.shape[KY], data.kspace.shape[KX]
    centre = torch.zeros((height, width), dtype=torch.bool, device=data.kspace.device)
    if data.acs is not None and data.acs > 0:
        centre[centre_lines(height, min(data.acs, height))] = True
        return centre
    measured = (data.operator.mask != 0).flatten(0, COIL).all(0).expand(height, width).cpu()
    block = measured_block(measured, max(height, width))
    if block is None:
        raise InputError(
            "a coil-map network needs the centre of k-space (expected ACS lines in every frame / found none)",
            "Choose maps = given, or a mask with ACS lines.",
        )
    centre[block] = True
    return centre


def maps_network(maps: str, filters: int, channels: int = 2) -> SensitivityNetwork | None:
    """Return the network that a setting ``maps`` asks for: a U-Net with 4 poolings, coil by coil.

    It sees frame by frame with two channels, and all frames together with two for each frame.
    """
    return SensitivityNetwork(UNet2d(channels, channels, filters, POOLS), stacked=channels > 2) if maps == "network" else None


def check_maps(maps: str, filters: int, name: str) -> None:
    """Raise ``InputError`` unless these are settings of :func:`maps_network`."""
    if maps not in ("given", "network") or filters < 1:
        raise InputError(
            f"the coil maps of {name} are out of range (expected given or network, at least 1 filter / found {maps!r}, {filters})",
            "Use given unless the network was trained with its own coil maps.",
        )


def operator_with(network: SensitivityNetwork | None, data: ReconInput) -> ReconInput:
    """Return the input with the network's coil maps in its operator; unchanged when there is no network."""
    if network is None:
        return data
    return dataclasses.replace(data, operator=SenseOperator(data.operator.mask, network(data), data.operator.gram_limit_mib))
