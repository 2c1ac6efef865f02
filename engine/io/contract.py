"""What a format is: one object that recognises, lists, reads and writes. Each file of this package registers its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from engine.core.errors import OutputError
from engine.core.jobs import Reporter, silent
from engine.core.maps import MapSet
from engine.core.records.entries import Content, Entry
from engine.core.records.registries import FormatInfo
from engine.core.registry import Registry
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, KSpaceSeries, Reconstruction, SamplingMask

Writable = KSpaceSeries | ImageSeries | Reconstruction | MapSet
# The ending of an output that is a folder.
FOLDER = "/"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What goes with an output: truth maps of a phantom, a mask to write masked data as well, and who is told of the progress."""

    truth: Mapping[str, Any] | None = None
    mask: SamplingMask | None = None
    report: Reporter = field(default_factory=silent)


class Format(ABC):
    """A file format: one subclass and one registered object in one file of this package.

    Attributes
    ----------
    name, title, description
        Registry name, name on screen, one sentence on what is understood.
    suffixes
        Patterns for a file dialog ("*.h5").
    precedence
        Who goes first when two formats recognise a file equally well: the larger number. No two formats have the same.
    writes
        Content -> endings of the outputs (".h5"; :data:`FOLDER` for a folder), the usual one first. Without an ending, the
        format writes it into a folder only when it is asked for by name.
    loses
        What its layout has no place for, of ``orientation``, ``voxel size``, ``phase encoding``, ``kind``, ``sampling``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    precedence: ClassVar[int]
    description: ClassVar[str] = ""
    writes: ClassVar[Mapping[Content, tuple[str, ...]]] = {}
    loses: ClassVar[frozenset[str]] = frozenset()

    @property
    def info(self) -> FormatInfo:
        """What a person is told of it."""
        written = tuple(str(content) for content in self.writes)
        return FormatInfo(self.name, self.title, self.suffixes, writes=written, description=self.description)

    @abstractmethod
    def sniff(self, path: Path) -> float:
        """Return 0..1: how sure it is that this is its own, from the first bytes, never from the sizes.

        A format of single files returns 0 for a folder; one whose series are folders may claim it whole.
        """

    @abstractmethod
    def list(self, path: Path) -> Iterator[Entry]:
        """Yield what is inside, from headers alone; raise ``EngineError`` for what is damaged."""

    @abstractmethod
    def read(self, entry: Entry, options: OpenOptions) -> KSpaceSeries | ImageSeries:
        """Open an entry lazily. ``entry.key`` None is what the file is about; ``options`` go before what the file says.

        Raises
        ------
        EngineError
            With a hint, for whatever is wrong with the file: nothing else leaves a reader.
        """

    def write(self, what: Writable, path: Path, options: WriteOptions) -> Path:
        """Write ``what`` so that a kill leaves the old file or the new one; return the file that is opened to have it back."""
        del what, options
        raise OutputError(f"{self.title} is not written (asked for {path.name})", "`myoscope formats` lists what can be.")

    def outputs(self, content: Content, path: Path) -> tuple[Path, ...]:
        """Return the files (or the folder) that :meth:`write` would replace: asked before hours of work are spent."""
        del content
        return (path,)


FORMATS: Registry[Format] = Registry("format", "engine.io", "formats")
