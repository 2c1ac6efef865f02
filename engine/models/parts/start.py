"""The image that an unrolled network begins with: zero-filled, as papers have it, or compressed sensing's.

An unrolled network spends its first cascades on what compressed sensing knows without having been taught. With a day of a large GPU
to learn it in, that is no matter. With one processor core it is: three networks of these papers, trained for about 40 minutes each,
stayed 2.6 to 4.2 dB below ``l1_wavelet`` on a porcine cine at R 8. A network that begins with that image learns what is left over.

*Deviation* of every network with this setting: x_0 is not the image of its paper, and before training layers whose output is added
to the image are drawn near zero, so that they do not drown it. The layers are the paper's to the last parameter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from engine.core.errors import InputError
from engine.core.jobs import Reporter
from engine.models.contract import ReconInput, no_stages
from engine.models.l1_wavelet import L1Wavelet, L1WaveletConfig

STARTS = ("zero_filled", "wavelet")
START_HELP = "Image to begin with: zero_filled, as in the paper, or wavelet, that of l1_wavelet"
START_NOTE = "With start = wavelet it begins with the image of l1_wavelet where the paper has the zero-filled one."
SHIFTS = 2  # of the wavelets in each iteration: half of what l1_wavelet takes by itself, for 0.1 dB
SHARE = 0.3  # of the progress
QUIET = 0.01  # of what is drawn for layers whose output is added to the image


def check_start(start: str, network: str, starts: tuple[str, ...] = STARTS) -> None:
    """Raise ``InputError`` unless ``start`` is one of ``starts``."""
    if start not in starts:
        raise InputError(f"start of {network} is {start!r} (expected {' or '.join(starts)})", f"Use start={starts[0]}.")


def with_first_image(start: str, data: ReconInput) -> ReconInput:
    """Return the input of a network with the image that it begins with in ``first``; unchanged for the zero-filled image."""
    if start == "zero_filled":
        return data
    rest = data.report.part(SHARE, 1.0 - SHARE)
    return dataclasses.replace(data, first=wavelets(data, data.report.part(0.0, SHARE)), report=rest)


def start_near_zero(start: str, layers: Iterable[nn.Module]) -> None:
    """Bring layers that add to the image near zero, before training, for any image but the zero-filled one."""
    if start == "zero_filled":
        return
    with torch.no_grad():
        for layer in layers:
            for parameter in layer.parameters(recurse=False):
                parameter.mul_(QUIET)


def wavelets(data: ReconInput, report: Reporter) -> Tensor:
    """Return compressed sensing's image, complex (batch, frame, y, x). It learns nothing and passes no gradient."""
    quiet = dataclasses.replace(data, operator=data.operator.with_own_factors(report.check), report=report, stages=no_stages)
    usual = L1WaveletConfig(shifts=SHIFTS)
    return L1Wavelet(dataclasses.replace(usual, iterations=1) if data.rehearsal else usual)(quiet)
