"""Where the data files lie: in the source tree, in an installed wheel and in a frozen bundle."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from engine.core.errors import FormatError


@cache
def folder() -> Path:
    """Return the folder ``resources``.

    It lies beside the package ``app`` in the source tree, in site-packages and in a bundle. It is found by that place and not by
    importing ``resources``: any other installed folder of that common name could answer to an import.

    Raises
    ------
    FormatError
        When the installation is incomplete.
    """
    place = Path(__file__).resolve().parent.parent / "resources"
    if not place.is_dir():
        raise FormatError(
            f"the program's data files are missing (expected the folder {place} / found none)",
            "Install Myoscope again.",
        )
    return place


def path(*parts: str) -> Path:
    """Return the path of a data file, for example ``path("style", "myoscope.qss")``.

    Raises
    ------
    FormatError
        When there is no such file.
    """
    place = folder().joinpath(*parts)
    if not place.exists():
        raise FormatError(
            f"a data file is missing (expected {'/'.join(parts)} in {folder()} / found none)", "Install Myoscope again."
        )
    return place
