"""What a reader is, and how a file finds its reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import FormatError
from engine.core.records.registries import FormatInfo
from engine.core.registry import Registry
from engine.core.types import ImageSeries, KSpaceSeries
from engine.io.probe import check_there


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """What a person may have to say about a file that does not say it itself.

    Parameters
    ----------
    axes
        Letters in storage order: ``s`` slice, ``f`` frame, ``c`` coil, ``y``, ``x`` (for k-space y and x mean ky and kx).
        None lets the reader decide.
    key
        Name of the variable in a file that holds several.
    times_ms
        Inversion or echo times, one per frame.
    kind
        ``cine``, ``molli`` or ``t2prep``; None lets the reader decide.
    """

    axes: str | None = None
    key: str | None = None
    times_ms: tuple[float, ...] | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """A format.

    ``sniff(path)`` gives 0..1 from the header or the extension and never raises on a damaged file; ``read(path, options)`` opens
    it lazily; ``suffixes`` are for the file dialog ("*.h5"); ``writes`` says what of ours it can hold.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Path], float]
    read: Callable[[Path, OpenOptions], KSpaceSeries | ImageSeries]
    description: str = ""
    writes: tuple[str, ...] = ()

    @property
    def info(self) -> FormatInfo:
        """What a person is told of it."""
        return FormatInfo(self.name, self.title, self.suffixes, writes=self.writes, description=self.description)


FORMATS: Registry[FormatSpec] = Registry("format", "engine.io", "formats")


def open_series(path: str | Path, options: OpenOptions | None = None) -> KSpaceSeries | ImageSeries:
    """Open ``path`` with the reader that recognises it best.

    Raises
    ------
    FormatError
        The file is missing, damaged or of no known format.
    """
    file = Path(path)
    check_there(file)
    marks = sorted(((spec.sniff(file), name) for name, spec in FORMATS.items()), reverse=True)
    mark, name = marks[0]
    if mark <= 0:
        raise FormatError(
            f"{file.name} is of no format that can be read (tried {', '.join(sorted(name for _, name in marks))})",
            "`myoscope formats` lists what can be read and what each format needs.",
        )
    return FORMATS.get(name).read(file, options or OpenOptions())
