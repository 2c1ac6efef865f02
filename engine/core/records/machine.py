"""The machine: what a report of a defect needs, and what a benchmark measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.core.records.plain import key


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Versions, devices, memory, optional libraries and weights. Holds no user names and no paths of data.

    Parameters
    ----------
    software
        Package -> version.
    machine, devices
        Word -> what the system tells.
    optional
        Library -> version, "no" where it is not installed.
    display_libraries
        Library -> file, "no" where there is none.
    programs
        Program -> whether it is there.
    weights
        Id -> network.
    """

    software: Mapping[str, str]
    machine: Mapping[str, str | int]
    devices: Mapping[str, str | int]
    optional: Mapping[str, str]
    display_libraries: Mapping[str, str] = field(metadata=key("display libraries"))
    programs: Mapping[str, bool]
    weights: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BenchResult:
    """One line of the table.

    ``ours_s`` and ``other_s`` are seconds (the smallest of the repetitions), ``ratio`` is other / ours, ``quality_ours`` and
    ``quality_other`` say in words and numbers how good each result is, ``difference`` how far the two results are apart.
    """

    benchmark: str
    case: str
    ours_s: float
    other: str
    other_s: float
    ratio: float
    quality_ours: str
    quality_other: str
    threads: int = 1
    difference: str = ""
