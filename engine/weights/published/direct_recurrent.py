"""The recurrent variational networks of DIRECT and of what is built on it: their names, and ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import CheckpointMismatch
from engine.weights.published.contract import compare
from engine.weights.published.torch_file import turned
from engine.weights.published.unet_names import unet_names, unet_sizes

State = Mapping[str, NDArray[Any]]
Names = Iterator[tuple[str, tuple[str, ...], tuple[int, ...]]]

BLOCK = re.compile(r"block_list\.(\d+)\.")
HINT = "This source reads the recurrent variational network with a learned initialiser and time steps of their own."


def is_recurrent(state: State) -> bool:
    """Return whether these tensors look like a recurrent variational network."""
    return any(".regularizer.reset_gates." in key for key in state)


def recurrent_varnet(state: State, what: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any], int]:
    """Return the tensors by our names, the settings, and the number of image channels.

    Kernels are turned: DIRECT's phase encoding runs along the last axis.

    Raises
    ------
    CheckpointMismatch
        When names or shapes are not exactly those of the network.
    """
    config, channels = _sizes(state, what)
    names = list(_names(config, channels))
    expected = {key: shape for _, keys, shape in names for key in keys}
    compare(expected, {key: value.shape for key, value in state.items()}, f"{what} is not a recurrent variational network", HINT)
    tensors = {}
    for ours, keys, _ in names:
        value = np.concatenate([state[key] for key in keys])
        tensors[ours] = turned(value).reshape(() if ours.endswith(".alpha") else value.shape)
    return tensors, config, channels


def rvn(state: State, what: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return tensors and settings of the network with frames as channels, as of :func:`recurrent_varnet`."""
    tensors, config, channels = recurrent_varnet(state, what)
    if channels % 2:
        raise CheckpointMismatch(f"{what} takes {channels} channels (expected two for each frame)", HINT)
    return tensors, config | {"frames": channels // 2}


def _sizes(state: State, what: str) -> tuple[dict[str, Any], int]:
    """Read the sizes of the network off its tensors."""
    blocks = {int(match[1]) for key in state if (match := BLOCK.match(key))}
    first = state.get("block_list.0.regularizer.conv_blocks.0.1.weight")
    output = state.get("initializer.out_blocks.0.0.weight")
    if first is None or first.ndim != 4 or output is None or output.ndim != 4:
        raise CheckpointMismatch(
            f"{what} is not a recurrent variational network (expected block_list.0.regularizer.conv_blocks.0.1.weight and "
            f"initializer.out_blocks.0.0.weight / found {', '.join(sorted(state)[:3])})",
            HINT,
        )
    if len(blocks) < 2:
        raise CheckpointMismatch(
            f"{what} holds one time step (expected one for each / found weights that all share)",
            "How often they are used is not written in the file; only networks with time steps of their own can be imported.",
        )
    widths: list[int] = []
    while (conv := state.get(f"initializer.conv_blocks.{len(widths)}.1.weight")) is not None and conv.ndim:
        widths.append(int(conv.shape[0]))
    used = int(output.shape[1])
    multiscale = next((n for n in range(1, len(widths) + 1) if sum(widths[-n:]) == used), 0)
    if len(widths) != 4 or multiscale == 0:
        raise CheckpointMismatch(
            f"the initialiser of {what} has another form (expected 4 convolutions, the last ones with {used} channels together / "
            f"found {widths})",
            "Dilations are not written in the file; only the usual 1, 1, 2, 4 can be imported.",
        )
    layers = len({key for key in state if re.fullmatch(r"initializer\.out_blocks\.\d+\.0\.weight", key)})
    config = {
        "steps": max(blocks) + 1,
        "hidden": int(first.shape[0]),
        "layers": layers,
        "multiscale": multiscale,
        "initialiser": tuple(widths),
    }
    return config, int(first.shape[1])


def _names(config: Mapping[str, Any], channels: int) -> Names:
    """Yield (our name, their names of what it is joined from, the shape of each of these)."""
    hidden, layers, widths = config["hidden"], config["layers"], config["initialiser"]
    inputs = [channels, *widths[:-1]]
    for i, (a, b) in enumerate(zip(inputs, widths, strict=True)):
        yield from _conv(f"iterations.initialiser.convs.{i}", (f"initializer.conv_blocks.{i}.1",), b, a, 3)
    used = sum(widths[-config["multiscale"] :])
    for i in range(layers):
        yield from _conv(f"iterations.initialiser.outputs.{i}", (f"initializer.out_blocks.{i}.0",), hidden, used, 1)
    for step in range(config["steps"]):
        ours, theirs = f"iterations.steps.{step}", f"block_list.{step}"
        yield f"{ours}.alpha", (f"{theirs}.learning_rate",), (1,)
        ends = [channels, *[hidden] * layers, channels]
        for i in range(layers + 1):
            name = f"{theirs}.regularizer.conv_blocks.{i}.1"
            yield from _conv(f"{ours}.rnn.convs.{i}", (name,), ends[i + 1], ends[i], 5 if i == 0 else 3)
        for i in range(layers):
            gates = tuple(f"{theirs}.regularizer.{gate}_gates.{i}.0" for gate in ("update", "reset"))
            yield from _conv(f"{ours}.rnn.cells.{i}.gates", gates, hidden, 2 * hidden, 1)
            yield from _conv(f"{ours}.rnn.cells.{i}.candidate", (f"{theirs}.regularizer.out_gates.{i}.0",), hidden, 2 * hidden, 1)


def _conv(ours: str, theirs: tuple[str, ...], out_channels: int, in_channels: int, kernel: int) -> Names:
    yield f"{ours}.weight", tuple(f"{name}.weight" for name in theirs), (out_channels, in_channels, kernel, kernel)
    yield f"{ours}.bias", tuple(f"{name}.bias" for name in theirs), (out_channels,)


def sensitivity_unet(state: State, what: str) -> tuple[dict[str, NDArray[Any]], int]:
    """Return DIRECT's coil-map network by our names, and its number of filters.

    Raises
    ------
    CheckpointMismatch
        When it is not the U-Net of four poolings that this program refines coil maps with.
    """
    channels, out_channels, filters, pools = unet_sizes(state, "", what)
    if channels != out_channels or pools != 4:
        raise CheckpointMismatch(
            f"the coil-map network of {what} has another form (expected as many input as output channels and 4 poolings / found "
            f"{channels}, {out_channels} and {pools})",
            "Only DIRECT's usual coil-map U-Net can be imported.",
        )
    names = list(unet_names("sensitivity.unet.", "", channels, channels, filters, pools))
    compare(
        {theirs: shape for _, theirs, shape in names},
        {key: value.shape for key, value in state.items()},
        f"the coil-map network of {what} is not DIRECT's U-Net",
        HINT,
    )
    return {ours: turned(state[theirs]) for ours, theirs, _ in names}, filters
