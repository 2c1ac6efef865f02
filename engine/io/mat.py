"""MATLAB files of other programs: any array, its axes told by the user in the order that MATLAB's ``size`` shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.core.records.entries import Entry
from engine.core.requests import OpenOptions
from engine.core.types import ImageSeries, KSpaceSeries
from engine.io import matlab
from engine.io.arrays import build, choose, entries, facts_from
from engine.io.contract import FORMATS, Format
from engine.io.probe import Container, container


class Mat(Format):
    """Versions 5 to 7.3; k-space of version 7.3 lazily."""

    name = "mat"
    title = "MATLAB file"
    suffixes = ("*.mat",)
    precedence = 30
    description = "Images or k-space; --axes in the order of MATLAB's size(), the array with --key."

    def sniff(self, path: Path) -> float:
        """Return 0.4 for a MATLAB file, 0.1 for another file named .mat, else 0."""
        found = container(path)
        named = path.suffix.lower() == ".mat" and path.is_file()
        if found is Container.MATLAB5 or (named and found is Container.HDF5):
            return 0.4
        return 0.1 if named else 0.0

    def list(self, path: Path) -> Iterator[Entry]:
        """Yield the arrays that can be a series."""
        _, variables, values = matlab.contents(path)
        yield from entries(path, self.name, variables, facts_from(values))

    def read(self, entry: Entry, options: OpenOptions) -> KSpaceSeries | ImageSeries:
        """Open an array."""
        _, variables, values = matlab.contents(entry.path)
        return build(entry.path, self.name, choose(entry.path, variables, entry.key), facts_from(values), options)


FORMATS.register(Mat.name, Mat())
