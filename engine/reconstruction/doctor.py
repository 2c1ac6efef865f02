"""The state of the machine, for a bug report."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from typing import Any

from engine.core import device, provenance
from engine.weights.library import listing

OPTIONAL = (
    "numba",
    "skimage",
    "PySide6",
    "pyqtgraph",
    "napari",
    "pydicom",
    "ismrmrd",
    "nibabel",
    "twixtools",
    "sigpy",
    "mrpro",
    "pygrappa",
)


def doctor() -> dict[str, Any]:
    """Return versions, devices, memory, optional libraries and weights. Holds no user names and no paths of data."""
    import shutil

    import torch

    memory = device.memory()
    devices = {"used by default": device.label(device.choose("auto"))}
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        devices[f"cuda:{index}"] = f"{torch.cuda.get_device_name(index)}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    return {
        "software": provenance.software(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count() or 0,
            "memory": f"{memory.free_mib / 1024:.1f} of {memory.total_mib / 1024:.1f} GiB free",
            "display": os.environ.get("WAYLAND_DISPLAY")
            or os.environ.get("DISPLAY")
            or ("native" if sys.platform != "linux" else "none"),
        },
        "devices": {**devices, "torch threads": torch.get_num_threads(), "cuda built in": torch.version.cuda or "no"},
        "optional": {name: importlib.util.find_spec(name) is not None for name in OPTIONAL},
        "programs": {name: shutil.which(name) is not None for name in ("bart",)},
        "weights": {str(w["id"]): str(w["network"]) for w in listing()},
    }


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
