"""Weights of five networks as the authors of JotlasNet trained them for comparison (TensorFlow, GPL-3.0).

DCCNN, ISTA-Net+, L+S-Net, SLR-Net and T2LR-Net of github.com/yhao-z/UnrollingNets-dMRI. The weights are not part of this program.
Whoever has them can import them; they stay under their licence. Read are the TensorFlow checkpoints themselves, and safetensors
files with a ``key_map.json`` beside that gives the checkpoint's name for each tensor (axes already in PyTorch's order).

They were trained with phase encoding along the last axis; here it is the one before, so kernels are turned.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import CheckpointMismatch, FormatError
from engine.weights.published.contract import PUBLISHED, Importer, Published, compare
from engine.weights.published.jotlasnet_tf import BOOKKEEPING, CONVOLUTION, VALUE, describe
from engine.weights.published.torch_file import read_state, turned
from engine.weights.tf_bundle import Bundle

URL = "https://github.com/yhao-z/UnrollingNets-dMRI"
HINT = "This source reads the checkpoints of github.com/yhao-z/UnrollingNets-dMRI; other networks have other sources."
KEY_MAP = "key_map.json"

Names = Iterator[tuple[str, str, tuple[int, ...]]]
State = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How one network is written down: ``names(cells, channels)`` yields (our name, theirs, PyTorch shape) of all tensors."""

    network: str
    mark: str  # a tensor of cell 0 that only this network and those after it in the list have
    names: Callable[[int, int], Names]
    config: Mapping[str, Any]


def _kernel(ours: str, theirs: str, inputs: int, outputs: int) -> tuple[str, str, tuple[int, ...]]:
    return f"{ours}.weight", f"{theirs}/kernel", (outputs, inputs, 3, 3, 3)


def _separate(cell: int, channels: int, ours: tuple[str, ...]) -> Names:
    """Yield six convolutions that are layers of their own, conv_1 to conv_6; ``ours`` are their names."""
    widths = (2, *(channels,) * 5, 2)
    for layer, name in enumerate(ours):
        yield _kernel(name, f"celllist/{cell}/conv_{layer + 1}/mylayers/0", widths[layer], widths[layer + 1])


def _stack(ours: str, theirs: str, widths: tuple[int, ...]) -> Names:
    """Yield convolutions in one list that holds the activations too: they are the even entries."""
    for layer in range(3):
        yield _kernel(f"{ours}.{layer}", f"{theirs}/mylayers/{2 * layer}", widths[layer], widths[layer + 1])


def _dc_cnn(cells: int, channels: int) -> Names:
    for cell in range(cells):
        yield from _separate(cell, channels, tuple(f"cells.{cell}.{layer}" for layer in range(6)))


def _transforms(cell: int) -> tuple[str, ...]:
    return tuple(f"cells.{cell}.{stack}.{layer}" for stack in ("transform", "inverse_transform") for layer in range(3))


def _scalars(cell: int, names: Mapping[str, str]) -> Names:
    for ours, theirs in names.items():
        yield f"cells.{cell}.{ours}", f"celllist/{cell}/{theirs}", ()


def _ista_net(cells: int, channels: int) -> Names:
    for cell in range(cells):
        yield from _separate(cell, channels, _transforms(cell))
        yield from _scalars(cell, {"step_size": "mu", "threshold": "thres_coef"})


def _slr_net(cells: int, channels: int) -> Names:
    names = {
        "step_size": "lambda_step",
        "coupling": "lambda_step_2",
        "soft_threshold": "soft_thr",
        "threshold": "thres_coef",
        "multiplier_step": "eta",
    }
    for cell in range(cells):
        yield from _separate(cell, channels, _transforms(cell))
        yield from _scalars(cell, names)


def _lplus_s_net(cells: int, channels: int) -> Names:
    for cell in range(cells):
        yield from _stack(f"cells.{cell}.sparse", f"celllist/{cell}/sconv", (4, channels, channels, 2))
        last = cell == cells - 1  # its data step follows nothing
        yield from _scalars(cell, {"threshold": "thres_coef"} if last else {"threshold": "thres_coef", "step_size": "gamma"})


def _t2lr_net(cells: int, channels: int) -> Names:
    for cell in range(cells):
        for ours, theirs in (("transform", "lconv_1"), ("inverse_transform", "lconv_2")):
            yield from _stack(f"cells.{cell}.low_rank.{ours}", f"celllist/{cell}/{theirs}", (2, channels, channels, 2))
        yield from _scalars(cell, {"step_size": "mu", "low_rank.threshold": "thres_lr"})


# In this order: what a network has, those before it have not.
LAYOUTS = (
    _Layout("t2lr_net", "lconv_1/mylayers/0/kernel", _t2lr_net, {}),
    _Layout("lplus_s_net", "sconv/mylayers/0/kernel", _lplus_s_net, {}),
    _Layout("slr_net", "lambda_step_2", _slr_net, {}),
    _Layout("ista_net", "mu", _ista_net, {}),
    _Layout("dc_cnn", "conv_1/mylayers/0/kernel", _dc_cnn, {"layers": 6, "dimensions": 3, "bias": False, "slope": 0.0}),
)


def read(path: Path) -> Published:
    """Read a checkpoint: its ``.index`` file, prefix or folder, or a ``.safetensors`` file beside its ``key_map.json``.

    Raises
    ------
    FormatError
        When it is neither, or damaged.
    CheckpointMismatch
        When names or shapes are not exactly those of one of the five networks.
    """
    path = Path(path)
    folder = path / "weights.safetensors"
    if path.is_dir() and folder.is_file() and not list(path.glob("*.index")):
        path = folder
    found, place = _converted(path) if path.suffix == ".safetensors" else _checkpoint(path)
    layout = next((layout for layout in LAYOUTS if f"celllist/0/{layout.mark}" in found), None)
    if layout is None:
        raise CheckpointMismatch(
            f"{path.name} is none of the five networks (expected tensors like celllist/0/conv_1/mylayers/0/kernel / found "
            f"{', '.join(sorted(found)[:3])})",
            HINT,
        )
    cells = len({match[1] for name in found if (match := re.match(r"celllist/(\d+)/", name))})
    kernels = sorted(name for name in found if name.startswith("celllist/0/") and name.endswith("/kernel"))
    channels = int(found[kernels[0]].shape[0]) if kernels and found[kernels[0]].ndim else 0
    names = list(layout.names(cells, channels))
    compare(
        {theirs: shape for _, theirs, shape in names},
        {name: value.shape for name, value in found.items()},
        f"{path.name} is not a whole {layout.network}",
        HINT,
    )
    label, card = describe(place, URL)
    config = {"cells": cells, "channels": channels, **layout.config}
    if layout.network == "lplus_s_net":
        # Single-coil sets were trained on complex images, multi-coil sets on magnitudes; unknown ones are not trusted with a phase.
        config["output"] = "complex" if card.get("normalisation") == "image_max" else "magnitude"
    tensors = {ours: turned(found[theirs]) for ours, theirs, _ in names}
    return Published(tensors, config, label, card, layout.network)


def _checkpoint(path: Path) -> tuple[State, Path]:
    """Return a TensorFlow checkpoint's tensors by its own names, axes in PyTorch's order, and its prefix."""
    bundle = Bundle(path)
    state = {}
    for name in bundle.entries:
        if name not in BOOKKEEPING:
            value = bundle.read(name)
            axes = CONVOLUTION if value.ndim == len(CONVOLUTION) else tuple(range(value.ndim))
            state[name.removesuffix(VALUE)] = np.array(value.transpose(axes), dtype=np.float32, order="C")
    return state, bundle.prefix


def _converted(path: Path) -> tuple[State, Path]:
    """Return a safetensors file's tensors by the checkpoint's names, and the file."""
    beside = path.with_name(KEY_MAP)
    try:
        rules = json.loads(beside.read_text(encoding="utf-8"))
        patterns = {str(key): str(value) for key, value in rules.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise FormatError(
            f"{path.name} cannot be read without the names of its checkpoint (expected {KEY_MAP} beside it / {error})",
            "Give the TensorFlow checkpoint itself: its .index file.",
        ) from error
    state = {}
    for key, value in read_state(path).items():
        cell = re.match(r"cells\.(\d+)\.", key)
        pattern = patterns.get(key if cell is None else f"cells.<i>.{key[cell.end() :]}", key)
        name = pattern.replace("<i>", cell[1] if cell else "").removesuffix(VALUE)
        # Converted scalars are vectors of one number.
        state[name] = value if name.endswith("/kernel") else value.reshape(() if value.size == 1 else value.shape)
    return state, path


PUBLISHED.register(
    "unrollingnets-tf",
    Importer(
        name="unrollingnets-tf",
        title="UnrollingNets-dMRI: DCCNN, ISTA-Net+, L+S-Net, SLR-Net and T2LR-Net, TensorFlow checkpoints",
        networks=tuple(sorted(layout.network for layout in LAYOUTS)),
        licence="GPL-3.0",
        url=URL,
        read=read,
    ),
)
