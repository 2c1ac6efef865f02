"""The fully sampled centre of k-space."""

from __future__ import annotations


def centre_lines(size: int, count: int) -> slice:
    """Return the ``count`` central indices of an axis of ``size``.

    The block holds the zero frequency, index ``size // 2`` of a centred spectrum, with ``count // 2`` lines before it. This is
    CMRxRecon's zero-padding rule (even and odd sizes).
    """
    first = size // 2 - count // 2
    return slice(first, first + count)
