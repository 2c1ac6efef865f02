"""The number format that a network's layers compute in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from engine.core.errors import InputError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def check_precision(precision: str, device: torch.device, trainable: bool, name: str) -> None:
    """Raise ``InputError`` where a method cannot compute in ``precision`` on ``device``."""
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r} (expected {', '.join(PRECISIONS)})", "Use float32.")
    if precision == "float32":
        return
    if not trainable:
        raise InputError(f"{name} computes in float32 (found {precision})", "Only networks have layers that can be shortened.")
    if precision == "float16" and device.type != "cuda":
        raise InputError(f"float16 is for CUDA devices (found {device})", "Use bfloat16 or float32 on this device.")


@contextlib.contextmanager
def autocast(precision: str, device: torch.device) -> Iterator[None]:
    """Let convolutions and products inside the block compute in ``precision``; FFTs and everything complex stay as they are."""
    if precision == "float32":
        yield
        return
    with torch.autocast(device.type, dtype=PRECISIONS[precision]):
        yield


def has_fast_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 numbers itself; elsewhere they are converted, and it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.get_device_capability(device)[0] >= 8)
    if device.type != "cpu":
        return False
    # Names of torch 2.6 and later; where they are missing nobody can tell.
    known = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(bool(ask()) for ask in known if ask is not None)


def note(precision: str, device: torch.device) -> tuple[str, ...]:
    """Return what a result made in ``precision`` shall say about it."""
    if precision == "float32":
        return ()
    slow = "" if precision == "float16" or has_fast_bfloat16(device) else ", which this processor does not speed up"
    return (f"layers computed in {precision}{slow}",)
