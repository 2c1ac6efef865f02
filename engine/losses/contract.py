"""What a loss term is: it takes a prediction with its truth and gives one number to be made small."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from engine.core.records.registries import LossInfo
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
    mapping
        The frozen mapping network, for terms that ask it (:class:`engine.models.parts.mapping.MappingNetwork`).
    """

    image: Tensor
    target: Tensor | None
    full: Tensor
    measured: Tensor | None
    operator: SenseOperator
    stages: Mapping[str, Sequence[Tensor]] = field(default_factory=dict)
    times_ms: Tensor | None = None
    mapping: nn.Module | None = None

    @property
    def truth(self) -> Tensor:
        """The target; a term that needs one is only computed when there is one."""
        assert self.target is not None
        return self.target


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss term.

    Parameters
    ----------
    name, title
        In the configuration, and on screen.
    compute
        ``compute(data)`` gives a real scalar.
    needs_target
        Whether it compares with a fully sampled image.
    source
        Paper and equation.
    needs_phase
        Whether it compares complex values, which a network that gives magnitudes cannot learn from.
    of_image
        Whether it is a term of one image, which can be computed for each cascade's; otherwise it reads stages.
    networks
        Names of the networks that report what it reads; empty when every network will do.
    needs_mapping
        Whether it asks the mapping network.
    """

    name: str
    title: str
    compute: Callable[[LossInput], Tensor]
    needs_target: bool = True
    source: str = ""
    needs_phase: bool = False
    of_image: bool = True
    networks: tuple[str, ...] = ()
    needs_mapping: bool = False

    @property
    def info(self) -> LossInfo:
        """What a person is told of it."""
        return LossInfo(self.name, self.title, self.needs_target, self.needs_mapping, self.networks, self.source)


LOSSES: Registry[Loss] = Registry("loss", "engine.losses", "losses")
