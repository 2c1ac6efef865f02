"""CRUNet-MR's own checkpoints (PyTorch, Apache-2.0), by the key names of its authors' program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from engine.core.errors import CheckpointMismatch
from engine.weights.published.contract import PUBLISHED, Importer, Published, compare
from engine.weights.published.torch_file import read_state, turned, without_prefix

URL = "https://github.com/dong845/CRUNet-MR"
HINT = "This source reads CRUNet-MR (class CRUNet_D_NWS) of github.com/dong845/CRUNet-MR; other networks have other sources."
UNUSED = re.compile(r"cascades\.\d+\.pp")  # a map that no computation of theirs reads

# Our unit -> (their recurrent layer, their side branch).
UNITS = {
    "encoder1": ("d_crnn1", "conv11"),
    "encoder2": ("d_crnn2", "conv21"),
    "bottleneck": ("bcrnn", "conv31"),
    "decoder2": ("u_crnn1", "conv41"),
    "decoder1": ("u_crnn2", "conv51"),
}
TERMS = {"input": "i2h", "time": "h2h", "iteration": "ih2ih"}
# Our Conv(2+1)D -> (their name, input channels over width, kernel).
MIXERS = {
    "down": ("d_conv", 1, 2),
    "mix2": ("convs1", 1, 3),
    "mix_bottleneck": ("convs2", 1, 3),
    "fuse2": ("conv1", 2, 3),
    "up": ("u_conv", 1, 2),
    "fuse1": ("conv2", 2, 3),
}


def _names(c: int) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield (our name, their name, shape of the weight) of all layers of one cascade; each has a bias."""
    yield "first", "conv0", (c, 2, 3, 3)
    yield "last", "conv", (2, c, 5, 5)
    for ours, (theirs, side) in UNITS.items():
        for term, their_term in TERMS.items():
            yield f"{ours}.recurrent.{term}", f"{theirs}.CRNN_model.{their_term}", (c, c, 3, 3)
        yield f"{ours}.side", side, (c, c, 1, 1)
    for ours, (theirs, width, kernel) in MIXERS.items():
        kind = "convTranspose" if ours == "up" else "conv"
        yield f"{ours}.spatial", f"{theirs}.{kind}2d", (c, width * c, kernel, kernel)
        yield f"{ours}.temporal", f"{theirs}.{kind}1d", (c, c, 3)


def read(path: Path) -> Published:
    """Read a checkpoint: a state dict, a checkpoint that holds one, or ``.safetensors``.

    Raises
    ------
    FormatError
        When it is not an undamaged file of tensors.
    CheckpointMismatch
        When names or shapes are not exactly those of a CRUNet-MR.
    """
    found = without_prefix(read_state(path), "module.", "model.")
    found = {name: value for name, value in found.items() if not UNUSED.fullmatch(name)}
    cascades = {int(match[1]) for name in found if (match := re.match(r"cascades\.(\d+)\.", name))}
    first = found.get("cascades.0.conv0.weight")
    if not cascades or first is None or first.ndim != 4:
        raise CheckpointMismatch(
            f"{path.name} is not a CRUNet-MR (expected a kernel cascades.0.conv0.weight / found {', '.join(sorted(found)[:3])})",
            HINT,
        )
    config = {"cascades": max(cascades) + 1, "channels": int(first.shape[0])}
    names = []
    for cascade in range(config["cascades"]):
        for ours, theirs, shape in _names(config["channels"]):
            bias = (2,) if ours == "last" else (config["channels"],)
            for part, size in (("weight", shape), ("bias", bias)):
                names.append((f"cascades.{cascade}.{ours}.{part}", f"cascades.{cascade}.{theirs}.{part}", size))
    compare({theirs: s for _, theirs, s in names}, {n: v.shape for n, v in found.items()}, f"{path.name} is not a CRUNet-MR", HINT)
    # Their phase encoding runs along the last axis, ours along the one before.
    tensors = {ours: turned(found[theirs]) for ours, theirs, _ in names}
    card = {
        "source": f"{URL}, {path.name}",
        "coils": "multi-coil, coil maps given with the data",
        "normalisation": "image_max",
        "known_failures": ("Its authors found poor images with masks that have no fully sampled centre.",),
    }
    return Published(tensors, config, path.stem, card)


PUBLISHED.register(
    "crunet-mr",
    Importer(
        name="crunet-mr",
        title="CRUNet-MR, its authors' PyTorch checkpoints",
        networks=("crunet_mr",),
        licence="Apache-2.0",
        url=URL,
        read=read,
    ),
)
