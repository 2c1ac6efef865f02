"""CineVN's checkpoints (PyTorch; parts MIT, the rest without a licence), by the key names of its author's program.

The weights are not part of this program. Whoever has them can import them; they stay under their terms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import CheckpointMismatch
from engine.weights.published.contract import PUBLISHED, Importer, Published, compare
from engine.weights.published.torch_file import read_state

URL = "https://github.com/marcvornehm/CineVN"
HINT = "This source reads CineVN as published: 2D + time, residual blocks of two convolutions, a landscape, no pooling of time."
# What a checkpoint of its training holds beside the network: weights and windows of the losses.
BOOKKEEPING = {"loss.weights", "loss.losses.0.w", "loss.losses.1.w", "loss.losses.0.kernel", "loss.losses.1.kernel"}
PREFIXES = ("varnet._orig_mod.", "varnet.")
CG = re.compile(r"cgdc\.(-?\d+)\.mu")

State = dict[str, NDArray[Any]]
Entry = tuple[str, str, tuple[int, ...]]


def read(path: Path) -> Published:
    """Read a checkpoint of its training, a state dict of its ``VarNet``, or a safetensors file with the same names.

    The number of iterations of conjugate gradients is not written in the tensors; it is taken as published, 10.

    Raises
    ------
    FormatError
        When the file is damaged, or holds more than tensors and plain values.
    CheckpointMismatch
        When names or shapes are not exactly those of a CineVN.
    """
    state = _network(read_state(path))
    first = state.get("cascades.0.model.unet.enc_conv_blocks.0.layers.0.0.conv.weight")
    if first is None or first.ndim != 4 or "cascades.0.dc_weight" not in state:
        raise CheckpointMismatch(
            f"{path.name} is not a CineVN (expected a tensor cascades.0.dc_weight and kernels of 3 x 3 / found "
            f"{', '.join(sorted(state)[:3])})",
            HINT,
        )
    cascades = 1 + max(int(match[1]) for key in state if (match := re.match(r"cascades\.(\d+)\.", key)))
    pools = sum(bool(re.fullmatch(r"cascades\.0\.model\.unet\.enc_conv_blocks\.\d+\.identity\.0\.weight", key)) for key in state)
    every, blocks = _interval(state, cascades, path.name)
    filters = int(first.shape[0])
    names = [entry for index in range(cascades) for entry in _cascade(index, filters, pools)]
    names += [(f"mu.{number}", f"cgdc.{block}.mu", ()) for number, block in enumerate(blocks)]
    found = {key: tuple(value.shape) for key, value in state.items()}
    compare({theirs: shape for _, theirs, shape in names}, found, f"{path.name} is not a CineVN", HINT)
    config = {"cascades": cascades, "filters": filters, "pools": pools, "cg_every": every, "cg_iterations": 10}
    card = {
        "source": f"{URL}, {path.name}",
        "coils": "multi-coil, coil maps given with the data",
        "known_failures": ("Trained on cine of whole heart beats, as time is circular; not on MOLLI or T2-prepared series.",),
    }
    return Published({ours: _ours(ours, state[theirs]) for ours, theirs, _ in names}, config, path.stem, card, "cinevn")


def _network(state: State) -> State:
    """Return the tensors of the network alone, without its name in front."""
    state = {key: value for key, value in state.items() if key not in BOOKKEEPING}
    for prefix in PREFIXES:
        if state and all(key.startswith(prefix) for key in state):
            return {key[len(prefix) :]: value for key, value in state.items()}
    return state


def _interval(state: State, cascades: int, what: str) -> tuple[int, list[int]]:
    """Return after how many cascades conjugate gradients follow (0: never), and after which ones."""
    blocks = sorted(int(match[1]) for key in state if (match := CG.fullmatch(key)))
    if not blocks:
        return 0, []
    every = blocks[0] + 1
    if every < 1 or blocks != list(range(every - 1, cascades, every)):
        raise CheckpointMismatch(
            f"{what} has conjugate gradients at other places (expected after every n-th cascade / found {blocks} of {cascades})",
            HINT,
        )
    return every, blocks


def _cascade(index: int, filters: int, pools: int) -> Iterator[Entry]:
    """Yield (our name, their name, their shape) of all tensors of one cascade."""
    ours, theirs = f"cascades.{index}", f"cascades.{index}.model.unet"
    yield f"{ours}.weight", f"cascades.{index}.dc_weight", (1,)
    yield f"{ours}.landscape", f"cascades.{index}.reg_landscape", (10, 10, 10)
    widths = [filters * 2**level for level in range(pools + 1)]
    for level in range(pools):
        yield from _block(f"{ours}.unet.encoder.{level}", f"{theirs}.enc_conv_blocks.{level}", (2, *widths)[level], widths[level])
    yield from _block(f"{ours}.unet.bottleneck", f"{theirs}.bottleneck", (2, *widths)[pools], widths[pools])
    for position, level in enumerate(reversed(range(pools))):
        wide, narrow = widths[level + 1], widths[level]
        up = f"{theirs}.dec_transpose_convs.{position}.layers"
        yield f"{ours}.unet.up.{position}.spatial.weight", f"{up}.1.conv.weight", (narrow, wide, 3, 3)
        yield f"{ours}.unet.up.{position}.temporal.weight", f"{up}.4.conv.weight", (narrow, narrow, 3)
        yield from _block(f"{ours}.unet.decoder.{position}", f"{theirs}.dec_conv_blocks.{position}", wide, narrow)
    yield f"{ours}.unet.output.weight", f"{theirs}.out.weight", (2, filters, 1, 1, 1)
    yield f"{ours}.unet.output.bias", f"{theirs}.out.bias", (2,)


def _block(ours: str, theirs: str, a: int, b: int) -> Iterator[Entry]:
    yield f"{ours}.identity.weight", f"{theirs}.identity.0.weight", (b, a, 1, 1, 1)
    for name, layer, width in (("first", 0, a), ("second", 4, b)):
        yield f"{ours}.{name}.spatial.weight", f"{theirs}.layers.{layer}.0.conv.weight", (b, width, 3, 3)
        yield f"{ours}.{name}.temporal.weight", f"{theirs}.layers.{layer}.3.conv.weight", (b, b, 3)


def _ours(name: str, value: NDArray[Any]) -> NDArray[Any]:
    """Return a tensor as ours: phase encoding, their last axis, is our last but one; kernels have three axes."""
    if name.endswith(".spatial.weight"):
        value = value.swapaxes(-1, -2)[:, :, None]
    elif name.endswith(".temporal.weight"):
        value = value[..., None, None]
    elif name.endswith(".landscape"):
        value = value.swapaxes(-1, -2)
    elif value.size == 1 and not name.endswith(".unet.output.bias"):
        value = value.reshape(())
    return np.array(value, order="C")


PUBLISHED.register(
    "cinevn",
    Importer(
        name="cinevn",
        title="CineVN, its author's PyTorch checkpoints",
        networks=("cinevn",),
        licence="none stated (parts MIT)",
        url=URL,
        read=read,
    ),
)
