"""Images grown to sizes that a network can halve, and cut back again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

Mode = Literal["zero", "replicate", "circular", "reflect"]
Undo = Callable[[Tensor], Tensor]


def extend(x: Tensor, dim: int, before: int, after: int, mode: Mode = "zero") -> Tensor:
    """Return ``x`` with ``before`` and ``after`` more elements along one axis.

    Parameters
    ----------
    x
        Any shape.
    dim
        The axis.
    before, after
        How many elements to add at its ends.
    mode
        What they hold: ``zero``; ``replicate``, the border element; ``circular``, the other end; ``reflect``, the mirror image
        about the border element. The last two repeat themselves where more is asked for than there is.
    """
    if before == 0 and after == 0:
        return x
    size = x.shape[dim]
    if mode in ("circular", "reflect"):
        return _repeated(x, dim, before, after, mode)
    pieces = []
    for count, place in ((before, 0), (after, size - 1)):
        shape = [*x.shape]
        shape[dim] = count
        pieces.append(x.narrow(dim, place, 1).expand(shape) if mode == "replicate" else x.new_zeros(shape))
    return torch.cat((pieces[0], x, pieces[1]), dim)


def _repeated(x: Tensor, dim: int, before: int, after: int, mode: Mode) -> Tensor:
    size = x.shape[dim]
    reach = max(before, after)
    if mode == "circular" and reach <= size:
        return torch.cat((x.narrow(dim, size - before, before), x, x.narrow(dim, 0, after)), dim)
    if mode == "reflect" and reach < size:
        front, back = x.narrow(dim, 1, before), x.narrow(dim, size - 1 - after, after)
        return torch.cat((front.flip(dim), x, back.flip(dim)), dim)
    index = torch.arange(-before, size + after, device=x.device)
    if mode == "circular" or size == 1:
        return x.index_select(dim, index % size)
    index = index.abs() % (2 * size - 2)
    return x.index_select(dim, torch.minimum(index, 2 * size - 2 - index))


def pad_to(x: Tensor, sizes: Sequence[int], dims: Sequence[int], mode: Mode = "zero") -> tuple[Tensor, Undo]:
    """Return ``x`` grown to at least ``sizes`` along ``dims``, the smaller half in front, and what undoes it.

    Parameters
    ----------
    x
        Any shape.
    sizes, dims
        The least size of each of these axes (negative numbers: the undoing may act on other leading axes).
    mode
        See :func:`extend`.

    Returns
    -------
    padded, undo
        ``undo(y)`` cuts the same region out of any ``y`` that has the padded sizes along ``dims``.
    """
    cuts: list[tuple[int, int, int]] = []
    for size, dim in zip(sizes, dims, strict=True):
        length = x.shape[dim]
        missing = max(0, size - length)
        if missing:
            before = missing // 2
            x = extend(x, dim, before, missing - before, mode)
            cuts.append((dim, before, length))

    def undo(y: Tensor) -> Tensor:
        for dim, before, length in cuts:
            y = y.narrow(dim, before, length)
        return y

    return x, undo


def pad_to_multiple(x: Tensor, multiple: int, dims: Sequence[int] = (-2, -1), mode: Mode = "zero") -> tuple[Tensor, Undo]:
    """Return ``x`` grown along ``dims`` to the next multiples of ``multiple``, the smaller half in front, and what undoes it.

    See :func:`pad_to`.
    """
    return pad_to(x, [-(-x.shape[dim] // multiple) * multiple for dim in dims], dims, mode)
