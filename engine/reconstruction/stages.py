"""What each cascade of an unrolled network produced, gathered while it runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.core.types import Complex
from engine.models.contract import StageSink, no_stages


class StageRecorder:
    """Collects images of stages, slice by slice, on the CPU.

    Parts whose values are images (batch 1, frame, y, x) are kept; others are left to a viewer of that network. Complex ones are on
    the network's scale, real ones (a mask) on none.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._current: dict[str, dict[int, Tensor]] = defaultdict(dict)
        self._slices: dict[str, list[Complex]] = defaultdict(list)
        self._unscaled: set[str] = set()

    def sink(self, merge: Callable[[Tensor], Tensor]) -> StageSink:
        """Return where a method leaves its stages; ``merge`` makes one image of those of several sets of coil maps."""
        if not self._enabled:
            return no_stages

        def take(index: int, part: str, value: Tensor) -> None:
            self._take(index, part, merge(value) if value.ndim == 4 and value.is_complex() else value)

        return take

    def _take(self, index: int, part: str, value: Tensor) -> None:
        if value.ndim == 4:
            self._current[part][index] = value[0].detach().to("cpu", torch.complex64)
            if not value.is_complex():
                self._unscaled.add(part)

    def finish_slice(self, scale: float) -> None:
        """Close a slice: its stages are put on the data's own scale."""
        for part, stages in self._current.items():
            ordered = torch.stack([stages[i] for i in sorted(stages)])
            self._slices[part].append((ordered if part in self._unscaled else ordered * scale).numpy())
        self._current.clear()

    def arrays(self) -> dict[str, Complex]:
        """Return complex64 (stage, slice, frame, y, x) for each part.

        An iterative method may stop earlier in one slice than in another; its last stage, which is its result, is then repeated.
        """
        return {part: np.stack(_of_one_length(slices), axis=1) for part, slices in self._slices.items()}


def _of_one_length(slices: list[Complex]) -> list[Complex]:
    """Return arrays (stage, ...) with the last stage repeated up to the longest."""
    longest = max(len(one) for one in slices)
    return [np.concatenate([one, np.repeat(one[-1:], longest - len(one), axis=0)]) for one in slices]
