"""The names of the U-Net that fastMRI, DIRECT and what is built on them share, and ours (:mod:`engine.models.parts.unet`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from engine.core.errors import CheckpointMismatch

Names = Iterator[tuple[str, str, tuple[int, ...]]]


def unet_names(ours: str, theirs: str, in_channels: int, out_channels: int, filters: int, pools: int, dimensions: int = 2) -> Names:
    """Yield (our name, their name, shape) of all tensors of a U-Net; ``ours`` and ``theirs`` stand in front, with their dot."""
    kernel, double, one = (3,) * dimensions, (2,) * dimensions, (1,) * dimensions
    widths = [filters * 2**level for level in range(pools + 1)]
    inputs = [in_channels, *widths[:-1]]

    def block(our_name: str, their_name: str, a: int, b: int) -> Names:
        for number, (layer, source) in enumerate(((0, a), (4, b)), start=1):
            yield f"{ours}{our_name}.conv{number}.weight", f"{theirs}{their_name}.layers.{layer}.weight", (b, source, *kernel)

    for level in range(pools):
        yield from block(f"encoder.{level}", f"down_sample_layers.{level}", inputs[level], widths[level])
    yield from block("bottleneck", "conv", inputs[pools], widths[pools])
    for position, level in enumerate(reversed(range(pools))):
        up = f"up_transpose_conv.{position}.layers.0.weight"
        yield f"{ours}decoder.{position}.up.weight", theirs + up, (widths[level + 1], widths[level], *double)
        # The last level's block stands in a sequence with the output convolution.
        place = f"up_conv.{position}.0" if level == 0 else f"up_conv.{position}"
        yield from block(f"decoder.{position}.block", place, 2 * widths[level], widths[level])
    yield f"{ours}output.weight", f"{theirs}up_conv.{pools - 1}.1.weight", (out_channels, filters, *one)
    yield f"{ours}output.bias", f"{theirs}up_conv.{pools - 1}.1.bias", (out_channels,)


def unet_sizes(state: Mapping[str, NDArray[Any]], theirs: str, what: str) -> tuple[int, int, int, int]:
    """Return (in channels, out channels, filters, pools) of a U-Net, read off its tensors.

    Raises
    ------
    CheckpointMismatch
        When it has no first or no last convolution.
    """
    pools = len({key for key in state if key.startswith(f"{theirs}down_sample_layers.") and key.endswith(".layers.0.weight")})
    first, last = f"{theirs}down_sample_layers.0.layers.0.weight", f"{theirs}up_conv.{pools - 1}.1.weight"
    for key in (first, last):
        if key not in state or state[key].ndim < 4:
            raise CheckpointMismatch(
                f"{what} holds no U-Net (expected a kernel {key} / found {', '.join(sorted(state)[:3]) or 'nothing'})",
                "Check which network and which program these weights are of.",
            )
    return int(state[first].shape[1]), int(state[last].shape[0]), int(state[first].shape[0]), pools
