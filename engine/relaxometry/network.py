"""Maps by the mapping network: images and times in, parameters out, in one pass and without a fit.

*Deviation*: the network was trained on images of k-space divided by the 99th percentile of its magnitude, coil by coil. Where only
images are at hand, that percentile is taken of the Fourier transform of their magnitudes, so that amplitudes may be scaled
otherwise by a factor of the number of coils' order; relaxation times depend on it as far as the network did not learn to ignore it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.core import device
from engine.core.axes import COIL, FRAME
from engine.core.errors import CheckpointMismatch, InputError
from engine.core.jobs import Reporter
from engine.core.maps import FitRequest, Reason
from engine.core.types import Float
from engine.physics.fourier import fft2c
from engine.physics.scaling import scale_of
from engine.relaxometry.contract import SignalModel
from engine.relaxometry.reading import TIME_LIMIT_MS, screen

MS = 1000.0
RULE = "kspace_p99_all"
Loader = Callable[[str, str | None, Any], tuple[nn.Module, Mapping[str, Any]]]


def estimate(
    stack: NDArray[Any], times_ms: Float, model: SignalModel, request: FitRequest, load: Loader | None, report: Reporter
) -> dict[str, NDArray[Any]]:
    """Return the maps of a network, each (slice, y, x), by data-set name, with r2, residual, polarity and reason.

    Parameters
    ----------
    stack
        (slice, frame, y, x), real or complex; magnitudes are used.
    times_ms
        (slice, frame).
    model, request
        Which network, its weights, the device, the background.
    load
        Loads a network: name, weights, device -> module, card.
    report
        Asked before every layer whether to stop.

    Raises
    ------
    InputError
        There are no weights.
    CheckpointMismatch
        They are of the other quantity, or of another number of samples.
    """
    if load is None or model.network is None:
        raise InputError(
            f"{model.name} needs weights (expected --weights ID or FILE)", "`myoscope weights list` lists those at hand."
        )
    place = device.choose(request.device)
    module, card = load(model.network, request.weights, place)
    _check(module, model, stack.shape[FRAME])
    slices, frames, ny, nx = stack.shape
    found: dict[str, NDArray[Any]] = {}
    for index in range(slices):
        report.step(index, slices, f"estimating {model.quantity}")
        magnitudes = np.abs(stack[index]).astype(np.float32)
        reason = screen(magnitudes.reshape(frames, -1), request.background).reshape(ny, nx)
        usable = np.where(reason == Reason.NOT_FINITE, np.float32(0), magnitudes)
        if not usable.any():
            one = {name: np.zeros((ny, nx)) for name in (*model.parameters, "r2", "residual", "polarity")}
        else:
            one = _run(module, str(card.get("normalisation") or RULE), usable, times_ms[index], model, place, report)
        with np.errstate(invalid="ignore"):
            main = one[model.parameters[0]]
            why = np.where((reason == Reason.VALID) & ~(np.isfinite(main) & (main <= TIME_LIMIT_MS)), Reason.BOUND, reason)
        valid = why == Reason.VALID
        for name, values in one.items():
            dtype = np.uint8 if name == "polarity" else np.float32
            found.setdefault(name, np.zeros((slices, ny, nx), dtype))[index] = np.where(
                valid, values / request.efficiency if name == "t1_ms" else values, 0
            )
        found.setdefault("reason", np.zeros((slices, ny, nx), np.uint8))[index] = why
    return found


def _check(module: nn.Module, model: SignalModel, frames: int) -> None:
    config: Any = module.config
    if config.quantity != model.quantity or config.samples != frames:
        raise CheckpointMismatch(
            f"these weights do not fit the series (expected a mapping network for {model.quantity} of {frames} images / found one "
            f"for {config.quantity} of {config.samples})",
            "Choose other weights: `myoscope weights list`.",
        )


@torch.inference_mode()
def _run(
    module: nn.Module, rule: str, magnitudes: Float, times_ms: Float, model: SignalModel, place: torch.device, report: Reporter
) -> dict[str, NDArray[Any]]:
    """Return parameters and quality of one slice, (y, x)."""
    images = torch.from_numpy(np.ascontiguousarray(magnitudes))
    scale = scale_of(fft2c(images.to(torch.complex64)).unsqueeze(COIL), None, rule)
    times = torch.as_tensor(times_ms / MS, dtype=torch.float32, device=place)
    with device.memory_errors(place, f"the mapping of {model.quantity}"):
        scaled = (images / scale).to(place)[None]
        maps = module(times, scaled, report.check)
        raw = maps[0].double().cpu().numpy()
    t = times_ms.astype(np.float64)[:, None, None]
    if model.quantity == "T1":
        a, b, tau = scale * raw[0], scale * raw[0] * raw[1], MS * raw[2]
        signal = a - b * np.exp(-t / tau)
        values = {"t1_ms": tau * (b / a - 1.0), "t1_star_ms": tau, "a": a, "b": b}
    else:
        a, tau = scale * raw[0], MS * raw[1]
        signal = a * np.exp(-t / tau)
        values = {"t2_ms": tau, "a": a}
    signed = np.where(signal < 0, -magnitudes, magnitudes)
    rss = np.square(signed - signal).sum(0)
    spread = np.square(signed - signed.mean(0)).sum(0)
    return {
        **values,
        "r2": np.where(spread > 0, 1.0 - rss / np.where(spread > 0, spread, 1.0), 0.0),
        "residual": np.sqrt(rss / len(t)),
        "polarity": (signal < 0).sum(0),
    }
