"""How much memory a reconstruction will need, told before it is started.

The whole way of a slice, from its k-space to its image, is walked on arrays without values (:mod:`engine.evaluation.dry_run`), and
what lives at once is added up, with the working memory that single operations take inside.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from engine.core import device as devices
from engine.core.device import MIB
from engine.core.errors import DeviceMemoryError
from engine.evaluation.dry_run import Problem, Unforeseeable, make_data, rehearsed, without_memory
from engine.models.contract import ModelSpec
from engine.models.parts.forms import plain, plain_forms, rehearsal
from engine.physics.coil_maps import estimate as estimate_maps
from engine.physics.operator import GRAM_LIMIT_MIB
from engine.physics.scaling import find_scale
from engine.reconstruction.precision import autocast

Sizes = tuple[int, int, int, int]
COMPLEX_BYTES = 8

# What no method here exceeds: copies of k-space; and for networks bytes for each pixel of each frame, and weights with what else
# does not grow. Where so much is free nothing has to be found out.
GENEROUS_COPIES = 24
GENEROUS_BYTES = 16 * 1024
GENEROUS_MIB = 2048.0
# An estimate is refused when it is above what is free by more than this: it may be wrong by as much.
TOLERANCE = 1.15
# What libraries keep once they have been used (compiled kernels, buffers of threads), and what networks lose to holes between the
# blocks of the C library's heap: measured over small and large problems.
LIBRARIES_MIB = 12.0
HOLES, HOLES_MIB = 0.25, 40.0
# oneDNN's blocks of channels, and how few channels it takes as they are.
BLOCK, THIN = 16, 4


def estimate(
    spec: ModelSpec,
    config: Any,
    sizes: Sizes,
    mask: NDArray[np.bool_] | None = None,
    device: torch.device | str = "cpu",
    precision: str = "float32",
) -> float | None:
    """Return the memory that a reconstruction takes at its peak, in MiB, beside what the program has already.

    Parameters
    ----------
    spec, config
        The method and its settings.
    sizes
        (frame, coil, ky, kx) of one slice; slices are worked on one after the other.
    mask
        Bool (frame or 1, ky, kx or 1); None for every fourth line and 24 in the centre, alike in all frames.
    device, precision
        As in :class:`engine.core.requests.ReconRequest`.

    Returns
    -------
    float or None
        None for a method whose steps depend on the values of the data, or cannot be walked without values on the device.
    """
    packed = None if mask is None else (mask.shape, np.packbits(mask).tobytes())
    return _estimate(spec.name, config, sizes, packed, str(torch.device(device)), precision, plain())


@functools.lru_cache(maxsize=256)
def _estimate(name: str, config: Any, sizes: Sizes, packed: Any, device: str, precision: str, plainly: bool) -> float | None:
    from engine.models import MODELS

    spec = MODELS.get(name)
    mask = None
    if packed is not None:
        shape, bits = packed
        count = int(np.prod(shape))
        mask = torch.from_numpy(np.unpackbits(np.frombuffer(bits, np.uint8), count=count).astype(np.bool_).reshape(shape))
    live = LiveBytes(torch.device(device).type)
    try:
        with rehearsal(), plain_forms() if plainly else contextlib.nullcontext():
            _walk(spec, config, Problem(*sizes, mask), torch.device(device), precision, live)
    except (Unforeseeable, RuntimeError):  # torch has no form of some operation without values on this device
        return None
    if device != "cpu":
        return live.peak / MIB
    return live.peak / MIB + LIBRARIES_MIB + (min(HOLES * live.peak / MIB, HOLES_MIB) if spec.trainable else 0.0)


def check_fits(
    spec: ModelSpec, config: Any, sizes: Sizes, mask: NDArray[np.bool_], device: torch.device, precision: str = "float32"
) -> None:
    """Raise ``DeviceMemoryError`` when a reconstruction will not fit into what is free on its device.

    Parameters are those of :func:`estimate`. Where plenty is free nothing is estimated: that takes a second.
    """
    free = devices.memory(device).free_mib
    if free <= 0 or free > _generous(spec, sizes, mask):
        return
    needed = estimate(spec, config, sizes, mask, device, precision)
    if needed is None or needed <= TOLERANCE * free:
        return
    frames = f"{sizes[0]} frame{'s' if sizes[0] > 1 else ''}"
    smaller = "weights of a smaller preset" if spec.trainable else "a lighter method"
    elsewhere = "" if device.type == "cpu" else ", or --device cpu"
    raise DeviceMemoryError(
        f"{spec.title} does not fit into the memory of {devices.label(device)} (expected at most {free:.0f} MiB, which are free / "
        f"found about {needed:.0f} MiB for {frames} of {sizes[2]} x {sizes[3]})",
        f"Take fewer frames at once (--frames), {smaller}{elsewhere}; or close other programs.",
    )


def _generous(spec: ModelSpec, sizes: Sizes, mask: NDArray[np.bool_]) -> float:
    """Return MiB that a method certainly does not need."""
    frames, coils, height, width = sizes
    pixels = frames * height * width
    gram = min(float(GRAM_LIMIT_MIB), mask.shape[0] * width * height**2 * COMPLEX_BYTES / MIB)
    fixed = GENEROUS_COPIES * pixels * coils * COMPLEX_BYTES / MIB + 3 * gram
    return float(fixed) + (GENEROUS_MIB + GENEROUS_BYTES * pixels / MIB if spec.trainable else 0.0)


def _walk(spec: ModelSpec, config: Any, problem: Problem, device: torch.device, precision: str, live: LiveBytes) -> None:
    """Go the way of :func:`engine.reconstruction.plan.reconstruct` with one slice."""
    lines = problem.lines()
    with without_memory(live.watch):
        with device:
            method = spec.build(config if spec.trainable else rehearsed(config))
        if isinstance(method, nn.Module):
            method.eval()
        live.forget_peak()
        sizes = (problem.frames, problem.coils, problem.height, problem.width)
        kspace = torch.empty(sizes, dtype=torch.complex64) * lines[:, None]
        maps = estimate_maps(kspace, lines)
        kspace = find_scale(kspace, lines, spec.normalise).normalise(kspace)
        data = make_data(spec, kspace.to(device), maps.to(device), lines)
        del kspace, maps
        with autocast(precision, device):
            method(data)


class LiveBytes:
    """Follows the memory that tensors hold on one kind of device.

    Attributes
    ----------
    live, peak
        Bytes now, and the most there were at once.
    """

    def __init__(self, kind: str) -> None:
        self.live = 0
        self.peak = 0
        self._kind = kind
        self._known: dict[int, weakref.ref[Any]] = {}

    def forget_peak(self) -> None:
        """Take what lives now for the peak: what was before does not count."""
        self.peak = self.live

    def watch(self, operation: Any, args: tuple[Any, ...], result: Any) -> None:
        """Take note of what an operation returned and of what it takes inside."""
        for leaf in pytree.tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.device.type == self._kind:
                self._add(leaf)
        self.peak = max(self.peak, self.live + workspace(operation, args, result))

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._known:
            return
        size = storage.nbytes()

        def gone(_: object) -> None:
            self.live -= size
            del self._known[key]

        self._known[key] = weakref.ref(storage, gone)
        self.live += size


def workspace(operation: Any, args: tuple[Any, ...], result: Any) -> int:
    """Return the bytes that an operation takes while it runs on a CPU, beside its arguments and its result.

    Measured with torch 2.13 and oneDNN: a convolution of plain (not channels-last) features reorders them into blocks of 16
    channels and its result back; a transposed one takes its result twice more; FFTs along another axis than the last, one copy.
    """
    aten = torch.ops.aten
    if operation is aten._fft_c2c.default and result.device.type == "cpu":
        last = result.ndim - 1
        return 0 if last in [axis % result.ndim for axis in args[1]] else _bytes(result)
    if operation is not aten.convolution.default or result.device.type != "cpu":
        return 0
    features, kernel, transposed = args[0], args[1], bool(args[6])
    if transposed:
        return 2 * _bytes(result)
    if all(size == 1 for size in kernel.shape[2:]) or result.stride(1) == 1:
        return 0
    source = _in_blocks(features) if features.shape[1] > THIN else 0
    target = _in_blocks(result)
    if result.element_size() < 4:
        return 2 * target
    return source + target if result.ndim == 5 else max(source + target - _bytes(result), target)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _in_blocks(tensor: Tensor) -> int:
    channels = int(tensor.shape[1])
    return _bytes(tensor) // channels * (-(-channels // BLOCK) * BLOCK)
