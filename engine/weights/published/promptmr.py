"""PromptMR's own checkpoints (PyTorch Lightning, MIT), by the key names of its authors' program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import CheckpointMismatch
from engine.weights.published.contract import PUBLISHED, Importer, Published, compare
from engine.weights.published.torch_file import read_state, turned, without_prefix

URL = "https://github.com/hellopipu/PromptMR"
HINT = "This source reads PromptMR with channel attention of github.com/hellopipu/PromptMR; other networks have other sources."
BOOKKEEPING = {"loss.w"}
REDUCTION = 4
SENSITIVITY = "sens_net.norm_unet.unet"
State = Mapping[str, NDArray[Any]]
Name = tuple[str, str, tuple[int, ...]]


def _sizes(state: State, root: str) -> dict[str, Any]:
    """Return the sizes of one U-Net, read off its tensors; names are those of our settings."""

    def shape(name: str) -> tuple[int, ...]:
        value = state.get(f"{root}.{name}")
        if value is None or value.ndim == 0:
            found = ", ".join(sorted(state)[:3]) if value is None else "a single number"
            raise CheckpointMismatch(f"this is not a PromptMR (expected a tensor {root}.{name} / found {found})", HINT)
        return value.shape

    def count(stem: str) -> int:
        found = {int(m[1]) for name in state if (m := re.match(rf"{re.escape(f'{root}.{stem}')}\.(\d+)\.", name))}
        return max(found, default=-1) + 1

    levels = (1, 2, 3)
    prompts = [shape(f"prompt_level{level}.prompt_param") for level in levels]
    if any(len(p) != 5 for p in prompts):
        raise CheckpointMismatch(f"this is not a PromptMR (expected prompts with five axes / found {prompts})", HINT)
    return {
        "features": shape("feat_extract.weight")[0],
        "channels": shape("conv_last.weight")[0],
        "dims": tuple(shape(f"enc_level{level}.down.weight")[0] for level in levels),
        "prompts": tuple(p[1] for p in prompts),
        "prompt_dims": tuple(p[2] for p in prompts),
        "prompt_sizes": tuple(p[3] for p in prompts),
        "encoder": tuple(count(f"enc_level{level}.encoder") for level in levels),
        "decoder": tuple(count(f"dec_level{level}.fuse") for level in levels),
        "skip": tuple(count(f"skip_attn{level}.skip_attn") for level in levels),
        "bottleneck": count("bottleneck"),
    }


def _block(ours: str, theirs: str, c: int) -> Iterator[Name]:
    """Yield the names of one channel-attention block, without its activation."""
    yield f"{ours}.conv1.weight", f"{theirs}.body.0.weight", (c, c, 3, 3)
    yield f"{ours}.conv2.weight", f"{theirs}.body.2.weight", (c, c, 3, 3)
    yield f"{ours}.squeeze.weight", f"{theirs}.CA.conv_du.0.weight", (c // REDUCTION, c, 1, 1)
    yield f"{ours}.excite.weight", f"{theirs}.CA.conv_du.2.weight", (c, c // REDUCTION, 1, 1)


def _blocks(sizes: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Yield (our name, their name, channels) of all channel-attention blocks of one U-Net; the first has its own slope."""
    widths = (sizes["features"], *sizes["dims"])
    for level in range(3):
        n = level + 1
        for i in range(sizes["encoder"][level]):
            yield f"encoder.{level}.blocks.{i}", f"enc_level{n}.encoder.{i}", widths[level]
        for i in range(sizes["decoder"][level]):
            yield f"decoder.{level}.fuse.{i}", f"dec_level{n}.fuse.{i}", widths[n] + sizes["prompt_dims"][level]
        for i in range(sizes["skip"][level]):
            yield f"decoder.{level}.skip.{i}", f"skip_attn{n}.skip_attn.{i}", widths[level]
        yield f"decoder.{level}.refine", f"dec_level{n}.ca", widths[level]
    for i in range(sizes["bottleneck"]):
        yield f"bottleneck.{i}", f"bottleneck.{i}", widths[3]


def _names(sizes: dict[str, Any]) -> Iterator[Name]:
    """Yield (our name, their name, their shape) of all tensors of one U-Net but the shared slope."""
    channels, features = sizes["channels"], sizes["features"]
    widths = (features, *sizes["dims"])
    yield "first.weight", "feat_extract.weight", (features, channels, 3, 3)
    yield "last.weight", "conv_last.weight", (channels, features, 5, 5)
    for index, (ours, theirs, width) in enumerate(_blocks(sizes)):
        yield from _block(ours, theirs, width)
        if index == 0:
            yield f"{ours}.activation.weight", f"{theirs}.body.1.weight", (1,)
    for level in range(3):
        n, below, above = level + 1, widths[level + 1], widths[level]
        dim, count, side = (sizes[key][level] for key in ("prompt_dims", "prompts", "prompt_sizes"))
        yield f"encoder.{level}.down.weight", f"enc_level{n}.down.weight", (below, above, 3, 3)
        yield f"encoder.{level}.down.bias", f"enc_level{n}.down.bias", (below,)
        yield f"decoder.{level}.reduce.weight", f"dec_level{n}.reduce.weight", (below, below + dim, 1, 1)
        yield f"decoder.{level}.up.weight", f"dec_level{n}.up.1.weight", (above, below, 1, 1)
        yield f"decoder.{level}.prompt.prompts", f"prompt_level{n}.prompt_param", (1, count, dim, side, side)
        yield f"decoder.{level}.prompt.linear.weight", f"prompt_level{n}.linear_layer.weight", (count, below)
        yield f"decoder.{level}.prompt.linear.bias", f"prompt_level{n}.linear_layer.bias", (count,)
        yield f"decoder.{level}.prompt.conv.weight", f"prompt_level{n}.dec_conv3x3.weight", (dim, dim, 3, 3)


def _converted(ours: str, value: NDArray[Any]) -> NDArray[Any]:
    """Return a tensor in our order: channels re 0, im 0, re 1 ...; prompts without the first axis; phase encoding along y."""
    value = turned(value)
    if ours.endswith("unet.first.weight"):
        return np.ascontiguousarray(value.reshape(value.shape[0], 2, -1, *value.shape[2:]).swapaxes(1, 2).reshape(value.shape))
    if ours.endswith("unet.last.weight"):
        return np.ascontiguousarray(value.reshape(2, -1, *value.shape[1:]).swapaxes(0, 1).reshape(value.shape))
    if ours.endswith(".prompts"):
        return value.reshape(value.shape[1:])
    return value.reshape(()) if ours.endswith(".eta") else value


def read(path: Path, learnable_prompts: bool = False) -> Published:
    """Read a Lightning checkpoint, a state dict or ``.safetensors``.

    Parameters
    ----------
    path
        The file.
    learnable_prompts
        Whether the prompts were trained and are to be trained further; the file does not tell.

    Raises
    ------
    FormatError
        When it is not an undamaged file of tensors.
    CheckpointMismatch
        When names or shapes are not exactly those of a PromptMR.
    """
    state = {name: value for name, value in read_state(path).items() if name not in BOOKKEEPING}
    state = without_prefix(state, "promptmr.", "module.", "model.")
    found = {name: value.shape for name, value in state.items()}
    unets = {SENSITIVITY: ("sensitivity.unet", _sizes(state, SENSITIVITY))}
    cascades = {int(match[1]) for name in state if (match := re.match(r"cascades\.(\d+)\.", name))}
    names: list[Name] = []
    for cascade in range(max(cascades, default=0) + 1):
        root = f"cascades.{cascade}.model.unet"
        unets[root] = (f"cascades.{cascade}.unet", _sizes(state, root))
        names.append((f"cascades.{cascade}.eta", f"cascades.{cascade}.dc_weight", (1,)))
    slopes = []
    for root, (ours, sizes) in unets.items():
        names += [(f"{ours}.{mine}", f"{root}.{theirs}", shape) for mine, theirs, shape in _names(sizes)]
        slopes += [f"{root}.{theirs}.body.1.weight" for _, theirs, _ in _blocks(sizes)][1:]
    expected = {theirs: shape for _, theirs, shape in names} | dict.fromkeys(slopes, (1,))
    compare(expected, found, f"{path.name} is not a PromptMR", HINT)
    different = [name for name in slopes if not np.array_equal(state[name], state[slopes[0]])]
    if different:
        raise CheckpointMismatch(
            f"{path.name} is not a PromptMR (expected one activation slope in all blocks / found another in {different[0]})",
            HINT,
        )
    tensors = {ours: _converted(ours, state[theirs]) for ours, theirs, _ in names}
    tensors["slope"] = state[slopes[0]].reshape(())
    main, maps = unets["cascades.0.model.unet"][1], unets[SENSITIVITY][1]
    config = {key: value for key, value in main.items() if key != "channels"} | {
        "cascades": len(unets) - 1,
        "adjacent": main["channels"] // 2,
        "learnable_prompts": learnable_prompts,
        "maps_features": maps["features"],
        "maps_dims": maps["dims"],
        "maps_prompt_dims": maps["prompt_dims"],
    }
    card = {"source": f"{URL}, {path.name}", "coils": "multi-coil; coil maps by the network's own part, from the ACS lines"}
    return Published(tensors, config, path.stem, card)


PUBLISHED.register(
    "promptmr",
    Importer(
        name="promptmr",
        title="PromptMR, its authors' PyTorch checkpoints",
        networks=("promptmr",),
        licence="MIT",
        url=URL,
        read=read,
    ),
)
