"""Which device to compute on, how much memory it has, and what to say when that is not enough. The only torch in ``core``."""

from __future__ import annotations

import contextlib
import gc
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.errors import DeviceMemoryError, InputError

if TYPE_CHECKING:
    import torch

MIB = 1024.0 * 1024.0

# What a plain RuntimeError says when memory is short: the CPU's allocator (two wordings), CUDA and MPS, and CUDA's libraries.
SHORT_OF_MEMORY = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")


@dataclass(frozen=True, slots=True)
class Memory:
    """Free and total memory of a device in MiB."""

    free_mib: float
    total_mib: float


def choose(name: str = "auto") -> torch.device:
    """Return the torch device for ``auto`` (cuda, then mps, then cpu), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    Raises
    ------
    InputError
        When the named device does not exist here.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"unknown device {name!r} (expected auto, cpu, cuda, cuda:N or mps)", "Use --device auto.") from error
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise InputError(f"device {name} does not exist (expected one of {count} CUDA devices)", "Use --device auto or cpu.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device mps does not exist on this machine", "Use --device auto or cpu.")
    if device.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"device {name} is not supported (expected auto, cpu, cuda, cuda:N or mps)", "Use --device auto.")
    return device


def label(device: torch.device) -> str:
    """Return the device in words: ``CUDA 0: NVIDIA H200`` or ``CPU, 2 threads``."""
    import torch

    if device.type == "cuda":
        index = device.index or 0
        return f"CUDA {index}: {torch.cuda.get_device_name(index)}"
    if device.type == "mps":
        return "Apple GPU"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads != 1 else ''}"


def memory(device: torch.device | None = None) -> Memory:
    """Return free and total memory of ``device``; of the machine when it is the CPU or None (torch is not loaded then)."""
    if device is not None and device.type == "cuda":
        import torch

        free, total = torch.cuda.mem_get_info(device)
        return Memory(free / MIB, total / MIB)
    try:
        import psutil
    except ImportError:
        return _memory_of_system()
    info = psutil.virtual_memory()
    return Memory(info.available / MIB, info.total / MIB)


def _memory_of_system() -> Memory:
    """Return the machine's memory as POSIX tells it, without psutil; zeros where it does not tell."""
    try:
        page = os.sysconf("SC_PAGE_SIZE") / MIB
        return Memory(os.sysconf("SC_AVPHYS_PAGES") * page, os.sysconf("SC_PHYS_PAGES") * page)
    except (AttributeError, ValueError, OSError):
        return Memory(0.0, 0.0)


def use_polite_threads() -> None:
    """Leave one core to the window: torch uses one thread less than there are cores, at least one.

    Threads that wait sleep instead of spinning, if torch is loaded by this call and not before.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # OpenMP reads it once, when torch is loaded
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))


@contextlib.contextmanager
def memory_errors(device: torch.device, what: str) -> Iterator[None]:
    """Translate the device's out-of-memory error into :class:`DeviceMemoryError`, after the memory was given back."""
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is a RuntimeError
        known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not known and not any(words in str(error) for words in SHORT_OF_MEMORY):
            raise
        # The frames that failed hold their tensors as long as the exception lives, which is as long as ours does.
        traceback.clear_frames(error.__traceback__)
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        raise DeviceMemoryError(
            f"{label(device)} ran out of memory during {what}",
            "Take fewer slices or frames at once, a lighter method, or --device cpu.",
        ) from error


class PeakMemory:
    """Measures peak memory in MiB until ``__exit__``: allocated since ``__enter__`` on CUDA, the process's peak elsewhere."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.mib: float | None = None

    def __enter__(self) -> PeakMemory:
        if self._device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(self._device)
        return self

    def __exit__(self, *_: object) -> None:
        if self._device.type == "cuda":
            import torch

            self.mib = torch.cuda.max_memory_allocated(self._device) / MIB
        else:
            self.mib = process_peak_mib()


def process_peak_mib() -> float | None:
    """Return the largest resident set of this process so far in MiB, None where the system does not tell."""
    try:
        import resource
        import sys
    except ImportError:  # Windows
        try:
            import psutil
        except ImportError:
            return None
        peak = getattr(psutil.Process().memory_info(), "peak_wset", None)
        return None if peak is None else peak / MIB
    scale = 1.0 / MIB if sys.platform == "darwin" else 1.0 / 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
