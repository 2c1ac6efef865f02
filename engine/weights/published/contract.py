"""What an importer of published weights is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.core.errors import CheckpointMismatch
from engine.core.registry import Registry


@dataclass(frozen=True, slots=True)
class Published:
    """What an importer read.

    Parameters
    ----------
    tensors
        Float32, by our names, in our axis order.
    config
        Settings of the network, as its config class takes them.
    label
        Short name of this set ("radial-16"), used for its id when the user gives none.
    card
        Further fields of the model card: ``source``, ``data``, ``masks``, ``normalisation``; ``licence`` where it is another
        one than the importer's.
    network
        Which of the importer's networks they are for; "" where it has only one.
    """

    tensors: Mapping[str, NDArray[Any]]
    config: Mapping[str, Any]
    label: str
    card: Mapping[str, Any] = field(default_factory=dict)
    network: str = ""


@dataclass(frozen=True, slots=True)
class Importer:
    """One source of published weights: one format, of one group of authors, for one or several networks.

    ``read(path)`` finds out from the file which of ``networks`` it holds (registry names of methods), checks every key and shape,
    and raises ``CheckpointMismatch`` naming those that are missing or unknown.
    """

    name: str
    title: str
    networks: tuple[str, ...]
    licence: str
    url: str
    read: Callable[[Path], Published]

    def network_of(self, published: Published) -> str:
        """Return the network that a set of weights is for."""
        if not published.network and len(self.networks) == 1:
            return self.networks[0]
        if published.network not in self.networks:
            raise CheckpointMismatch(
                f"{self.name} read weights of {published.network or 'no network'} (expected one of {', '.join(self.networks)})",
                "This is a defect of the importer.",
            )
        return published.network


PUBLISHED: Registry[Importer] = Registry("source of weights", "engine.weights.published")


def compare(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]], what: str, hint: str, most: int = 5
) -> None:
    """Raise ``CheckpointMismatch`` listing missing and unknown names and other shapes, unless both agree."""
    parts = []
    for title, names in (
        ("missing", [n for n in expected if n not in found]),
        ("unknown", [n for n in found if n not in expected]),
        (
            "other shape",
            [f"{n} {found[n]} instead of {s}" for n, s in expected.items() if n in found and tuple(found[n]) != tuple(s)],
        ),
    ):
        if names:
            more = f" and {len(names) - most} more" if len(names) > most else ""
            parts.append(f"{title}: {', '.join(names[:most])}{more}")
    if parts:
        raise CheckpointMismatch(f"{what} (expected {len(expected)} tensors / found {'; '.join(parts)})", hint)
