"""MATLAB files of other programs: any array, its axes told by the user in the order that MATLAB's ``size`` shows."""

from __future__ import annotations

from pathlib import Path

from engine.core.types import ImageSeries, KSpaceSeries
from engine.io import matlab
from engine.io.arrays import build, choose, facts_from
from engine.io.contract import FORMATS, FormatSpec, OpenOptions
from engine.io.probe import Container, container


def read(path: Path, options: OpenOptions) -> KSpaceSeries | ImageSeries:
    """Open an array of a MATLAB file of version 5 to 7.3; k-space of version 7.3 lazily."""
    _, variables, values = matlab.contents(path)
    variable = choose(path, variables, options.key)
    return build(path, SPEC.name, variable, facts_from(values), options)


def sniff(path: Path) -> float:
    """Return 0.4 for a MATLAB file, 0.1 for another file named .mat, else 0."""
    found = container(path)
    named = path.suffix.lower() == ".mat"
    if found is Container.MATLAB5 or (named and found is Container.HDF5):
        return 0.4
    return 0.1 if named else 0.0


SPEC = FORMATS.register(
    "mat",
    FormatSpec(
        name="mat",
        title="MATLAB file",
        suffixes=("*.mat",),
        sniff=sniff,
        read=read,
        description="Images or k-space; --axes in the order of MATLAB's size(), the array with --key.",
    ),
)
