"""What stands in files and folders, told without reading it: one record for each thing that can be opened, or cannot and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from engine.core.types import Kind


class Content(StrEnum):
    """What of ours a file holds or can hold."""

    KSPACE = "kspace"
    IMAGES = "images"
    RECONSTRUCTION = "reconstruction"
    MAPS = "maps"
    ARRAY = "array"  # numbers whose axes nobody has told yet
    MASK = "mask"
    UNKNOWN = "unknown"


# What is opened as a series of its own; a mask belongs to one.
SERIES = frozenset({Content.KSPACE, Content.IMAGES, Content.RECONSTRUCTION, Content.MAPS, Content.ARRAY})


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a file or folder, found from headers alone.

    Parameters
    ----------
    path
        The file, or the folder that is one series as a whole.
    format
        Registry name of the format that reads it; "" when no format can.
    key
        Which of several in the file; None for what the file is about.
    title
        Short name for a list.
    content, kind
        What it is, what its frames are.
    axes
        Axis -> size in our order, empty while the axes are not known.
    shape, dtype
        As stored.
    size_bytes
        Bytes of the values when read, 0 when it cannot be told.
    acceleration
        Nominal R when a name or header tells it; None otherwise.
    files
        All files that belong to it (itself, sidecars, masks, tables, the other files of a collection).
    problem, hint
        Why it cannot be read and what helps; "" when nothing speaks against it.
    notes
        Sentences about it.
    """

    path: Path
    format: str = ""
    key: str | None = None
    title: str = ""
    content: Content = Content.UNKNOWN
    kind: Kind = Kind.UNKNOWN
    axes: Mapping[str, int] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    dtype: str = ""
    size_bytes: int = 0
    acceleration: float | None = None
    files: tuple[Path, ...] = ()
    problem: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_series(self) -> bool:
        """Whether it can be opened as a series."""
        return self.content in SERIES and not self.problem
