"""JotlasNet's own checkpoints (TensorFlow, GPL-3.0), as published by its authors.

The weights are not part of this program. Whoever has them can import them; they stay under their licence.

They were trained with phase encoding along the last axis; here it is the one before, so kernels are turned. (Everything else in the
network, singular values of a frame included, does not ask which of the two axes comes first.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.errors import CheckpointMismatch
from engine.weights.published.contract import PUBLISHED, Importer, Published, compare
from engine.weights.published.torch_file import turned
from engine.weights.tf_bundle import Bundle

URL = "https://github.com/yhao-z/JotlasNet"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
BOOKKEEPING = {"_CHECKPOINTABLE_OBJECT_GRAPH", f"save_counter{VALUE}"}
# TensorFlow keeps kernels as (frame, y, x, in, out) and (in, out).
CONVOLUTION = (4, 3, 0, 1, 2)
HINT = "This source reads the checkpoints of github.com/yhao-z/JotlasNet; other networks have other sources."

# The published sets: folder label -> (mask, nominal acceleration if that is how it is given, coils, scaling).
SINGLE = ("single coil: coil-combined images taken as truth", "image_max")
MULTI = ("multi-coil, ESPIRiT maps", "kspace_max")
MASKS = {
    "radial": "pseudo_radial, {} lines per frame, rotated",
    "vds": "variable density, {} of the samples, new in each frame",
    "vista": "VISTA, R = {}",
}


def _names(cell: int, channels: int) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield (our name, their name, their shape) of all tensors of one cell."""
    ours, theirs = f"cells.{cell}", f"celllist/{cell}"
    n = channels
    widths = {
        ("low_rank.transform", "lconv_1"): (2, n, n, 2),
        ("low_rank.inverse_transform", "lconv_2"): (2, n, n, 2),
        ("sparse.transform", "sconv_1"): (2, n, n, n),
        ("sparse.inverse_transform", "sconv_2"): (n, n, n, 2),
    }
    for (stack, their_stack), width in widths.items():
        for layer in range(3):
            # Their list holds the activations too: convolutions are the even entries.
            name = f"{theirs}/{their_stack}/mylayers/{2 * layer}/kernel{VALUE}"
            yield f"{ours}.{stack}.{layer}.weight", name, (3, 3, 3, width[layer], width[layer + 1])
    for layer in range(2):
        dense = f"{theirs}/ST/att/layer_with_weights-{layer}"
        yield f"{ours}.sparse.attention.fc{layer + 1}.weight", f"{dense}/kernel{VALUE}", (n, n)
        yield f"{ours}.sparse.attention.fc{layer + 1}.bias", f"{dense}/bias{VALUE}", (n,)
    yield f"{ours}.omega", f"{theirs}/w{VALUE}", (2,)
    for name, their_name in (("step_size", "mu"), ("low_rank.threshold", "thres_lr"), ("momentum", "t")):
        yield f"{ours}.{name}", f"{theirs}/{their_name}{VALUE}", ()


def read(path: Path) -> Published:
    """Read a checkpoint from its ``.index`` file, its prefix, or its folder.

    Raises
    ------
    FormatError
        When it is not an undamaged TensorFlow checkpoint.
    CheckpointMismatch
        When names or shapes are not exactly those of a JotlasNet.
    """
    bundle = Bundle(path)
    found = {name: entry.shape for name, entry in bundle.entries.items() if name not in BOOKKEEPING}
    cells = [int(match[1]) for name in found if (match := re.match(r"celllist/(\d+)/", name))]
    first = f"celllist/0/lconv_1/mylayers/0/kernel{VALUE}"
    if not cells or len(found.get(first, ())) != 5:
        raise CheckpointMismatch(
            f"{bundle.prefix.name} is not a JotlasNet (expected a tensor {first} / found {', '.join(sorted(found)[:3])})",
            HINT,
        )
    config = {"cells": max(cells) + 1, "channels": found[first][-1]}
    names = [entry for cell in range(config["cells"]) for entry in _names(cell, config["channels"])]
    compare({theirs: shape for _, theirs, shape in names}, found, f"{bundle.prefix.name} is not a JotlasNet", HINT)
    tensors = {}
    for ours, theirs, shape in names:
        value = bundle.read(theirs)
        axes = CONVOLUTION if len(shape) == 5 else tuple(reversed(range(len(shape))))
        tensors[ours] = turned(np.array(value.transpose(axes), dtype=np.float32, order="C"))
    label, card = describe(bundle.prefix)
    return Published(tensors, config, label, card)


def describe(prefix: Path, url: str = URL) -> tuple[str, dict[str, Any]]:
    """Return label and card fields, from the label that the authors put into the folder's name."""
    card: dict[str, Any] = {
        "source": f"{url}, {prefix.parent.name}/{prefix.name}",
        "data": "OCMR cine (as the authors say)",
        "known_failures": ("Trained on cine with frames close in time; not on MOLLI or T2-prepared series.",),
    }
    for folder in reversed(prefix.absolute().parent.parts):
        match = re.search(r"(radial|vds|vista)-(\d+(?:\.\d+)?)(?![\d.])", folder.lower())
        if match is None or float(match[2]) <= 0:
            continue
        kind, number = match.groups()
        coils, normalisation = MULTI if kind == "vista" else SINGLE
        card |= {"masks": MASKS[kind].format(number), "coils": coils, "normalisation": normalisation}
        if kind == "vista":
            card["accelerations"] = (float(number), float(number))
        elif kind == "vds":
            # A share of the samples, or the acceleration itself.
            acceleration = float(number) if float(number) >= 1 else 1.0 / float(number)
            card |= {"accelerations": (acceleration,) * 2, "masks": MASKS[kind].format(f"{1 / acceleration:g}")}
        return f"{kind}-{number}", card
    return prefix.name, card


PUBLISHED.register(
    "jotlasnet-tf",
    Importer(
        name="jotlasnet-tf",
        title="JotlasNet, its authors' TensorFlow checkpoints",
        networks=("jotlasnet",),
        licence="GPL-3.0",
        url=URL,
        read=read,
    ),
)
