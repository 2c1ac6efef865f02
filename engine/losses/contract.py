"""What a loss term is: it takes a prediction with its truth and gives one number to be made small."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from engine.core.registry import Registry
from engine.physics.operator import SenseOperator


@dataclass(frozen=True, slots=True, eq=False)
class LossInput:
    """All that a loss term may use; k-space and images on the network's scale.

    Parameters
    ----------
    image, target
        complex64 (batch, frame, y, x): prediction, and fully sampled image (None when nothing was ever fully sampled).
    full
        complex64 (batch, frame, coil, ky, kx), all samples there are, zero elsewhere.
    measured
        bool (batch, frame or 1, 1, ky, kx or 1), where ``full`` may be compared with; None when everywhere.
    operator
        Of the undersampled problem: its maps, its mask.
    stages
        Named parts of each cascade, as the network reported them.
    times_ms
        float32 (batch, frame) or None.
    """

    image: Tensor
    target: Tensor | None
    full: Tensor
    measured: Tensor | None
    operator: SenseOperator
    stages: Mapping[str, Sequence[Tensor]] = field(default_factory=dict)
    times_ms: Tensor | None = None

    @property
    def truth(self) -> Tensor:
        """The target; a term that needs one is only computed when there is one."""
        assert self.target is not None
        return self.target


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss term.

    ``compute(data)`` gives a real scalar; ``needs_target`` whether it compares with a fully sampled image; ``source`` paper and
    equation.
    """

    name: str
    title: str
    compute: Callable[[LossInput], Tensor]
    needs_target: bool = True
    source: str = ""


LOSSES: Registry[Loss] = Registry("loss", "engine.losses", "losses")
