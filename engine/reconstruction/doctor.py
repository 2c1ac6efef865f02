"""The state of the machine, for a bug report."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys

from engine.core import device, provenance
from engine.core.records.machine import DoctorReport
from engine.weights.library import listing

OPTIONAL = (
    "numba",
    "skimage",
    "PySide6",
    "napari",
    "pydicom",
    "ismrmrd",
    "nibabel",
    "twixtools",
    "sigpy",
    "mrpro",
    "pygrappa",
)


def doctor() -> DoctorReport:
    """Return versions, devices, memory, optional libraries and weights. Holds no user names and no paths of data."""
    import torch

    memory = device.memory()
    devices: dict[str, str | int] = {"used by default": device.label(device.choose("auto"))}
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        devices[f"cuda:{index}"] = f"{torch.cuda.get_device_name(index)}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    return DoctorReport(
        software=provenance.software(),
        machine={
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count() or 0,
            "memory": f"{memory.free_mib / 1024:.1f} of {memory.total_mib / 1024:.1f} GiB free",
            "display": os.environ.get("WAYLAND_DISPLAY")
            or os.environ.get("DISPLAY")
            or ("native" if sys.platform != "linux" else "none"),
        },
        devices={
            **devices,
            "torch threads": torch.get_num_threads(),
            "cuda built in": torch.version.cuda or "no",
            "driver": _driver(),
        },
        optional={name: _version(name) for name in OPTIONAL},
        display_libraries={name: ctypes.util.find_library(name) or "no" for name in ("GL", "EGL", "OpenGL")},
        programs={name: shutil.which(name) is not None for name in ("bart",)},
        weights={one.card.id: one.card.network for one in listing()},
    )


def _driver() -> str:
    """Return the version of the NVIDIA driver, "no" where there is none, and say when it hangs: that is what a report is for."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "no"
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 - a fixed command
    except (OSError, subprocess.SubprocessError):
        return "does not answer"
    return answer.stdout.split("\n", maxsplit=1)[0].strip() or "no"


def _version(name: str) -> str:
    """Return the version of an optional library without importing it, "no" where it is not installed."""
    try:
        found = importlib.util.find_spec(name) is not None
    except ValueError:  # a module that is blocked
        found = False
    if not found:
        return "no"
    distributions = importlib.metadata.packages_distributions().get(name, [])
    return importlib.metadata.version(distributions[0]) if distributions else "yes"


def _processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:  # noqa: PTH123 - a pseudo-file
            for line in stream:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
