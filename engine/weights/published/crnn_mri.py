"""CRNN-MRI's released weights (PyTorch, Apache-2.0), by the key names of its authors' program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.core.errors import CheckpointMismatch
from engine.weights.published.contract import PUBLISHED, Importer, Published, compare
from engine.weights.published.torch_file import read_state, without_prefix

URL = "https://github.com/js3611/Deep-MRI-Reconstruction"
HINT = "This source reads CRNN_MRI of github.com/js3611/Deep-MRI-Reconstruction with 5 layers and kernels of 3 x 3."
# Weights are shared by all iterations, so a file does not tell how many there are; the released set was trained with five.
ITERATIONS = 5


def _names(c: int) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield (our name, their name, shape of the weight) of all layers; each has a bias."""
    yield "recurrent.input", "bcrnn.CRNN_model.i2h", (c, 2, 3, 3)
    yield "recurrent.time", "bcrnn.CRNN_model.h2h", (c, c, 3, 3)
    yield "recurrent.iteration", "bcrnn.CRNN_model.ih2ih", (c, c, 3, 3)
    for layer in range(3):
        yield f"iterated.{layer}.input", f"conv{layer + 1}_x", (c, c, 3, 3)
        yield f"iterated.{layer}.iteration", f"conv{layer + 1}_h", (c, c, 3, 3)
    yield "last", "conv4_x", (2, c, 3, 3)


def read(path: Path, iterations: int = ITERATIONS) -> Published:
    """Read a checkpoint: a state dict, a checkpoint that holds one, or ``.safetensors``.

    Parameters
    ----------
    path
        The file. Its phase encoding runs along the axis before the last, as ours does.
    iterations
        How many iterations the weights were trained for.

    Raises
    ------
    FormatError
        When it is not an undamaged file of tensors.
    CheckpointMismatch
        When names or shapes are not exactly those of a CRNN-MRI.
    """
    found = without_prefix(read_state(path), "module.", "model.")
    first = found.get("bcrnn.CRNN_model.i2h.weight")
    if first is None or first.ndim != 4:
        raise CheckpointMismatch(
            f"{path.name} is not a CRNN-MRI (expected a kernel bcrnn.CRNN_model.i2h.weight / found {', '.join(sorted(found)[:3])})",
            HINT,
        )
    channels = int(first.shape[0])
    names = []
    for ours, theirs, shape in _names(channels):
        for part, size in (("weight", shape), ("bias", shape[:1])):
            names.append((f"iterations.0.{ours}.{part}", f"{theirs}.{part}", size))
    compare({theirs: s for _, theirs, s in names}, {n: v.shape for n, v in found.items()}, f"{path.name} is not a CRNN-MRI", HINT)
    card = {
        "source": f"{URL}, {path.name}",
        "coils": "single coil",
        "normalisation": "image_max",
        "known_failures": ("Trained on single-coil cine; several coils are an extension of this program.",),
    }
    config = {"iterations": iterations, "channels": channels, "shared": True}
    return Published({ours: found[theirs] for ours, theirs, _ in names}, config, path.stem, card)


PUBLISHED.register(
    "crnn-mri",
    Importer(
        name="crnn-mri",
        title="CRNN-MRI, its authors' PyTorch weights",
        networks=("crnn_mri",),
        licence="Apache-2.0",
        url=URL,
        read=read,
    ),
)
