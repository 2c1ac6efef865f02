"""Saving: what is to be written and the ending of its name find the format, as reading does by the first bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import OutputError
from engine.core.files import check_folder_writable, check_writable, is_folder, refuse
from engine.core.maps import MapSet
from engine.core.records.entries import Content
from engine.core.types import ImageSeries, KSpaceSeries, Reconstruction
from engine.io.contract import FOLDER, FORMATS, Format, Writable, WriteOptions

WORDS = {
    Content.KSPACE: "k-space",
    Content.IMAGES: "images",
    Content.RECONSTRUCTION: "a reconstruction",
    Content.MAPS: "maps",
}

# What an output is called in a hint.
STEMS = {Content.KSPACE: "kspace", Content.IMAGES: "images", Content.RECONSTRUCTION: "result", Content.MAPS: "maps"}


def content_of(what: Writable) -> Content:
    """Return what a record of ours is."""
    if isinstance(what, KSpaceSeries):
        return Content.KSPACE
    if isinstance(what, ImageSeries):
        return Content.IMAGES
    if isinstance(what, Reconstruction):
        return Content.RECONSTRUCTION
    assert isinstance(what, MapSet)
    return Content.MAPS


def save(what: Writable, path: str | Path, options: WriteOptions | None = None, name: str | None = None) -> Path:
    """Write a record of ours as the ending of ``path`` asks, or in the format called ``name``.

    Returns
    -------
    Path
        The file that is opened to have it back.

    Raises
    ------
    OutputError
        No format writes it under such a name, or the place cannot be written to.
    """
    return writer(content_of(what), path, name).write(what, Path(path), options or WriteOptions())


def writer(content: Content, path: str | Path, name: str | None = None) -> Format:
    """Return the format that writes ``content`` to ``path``: the one called ``name``, else by the ending of the path.

    Raises
    ------
    OutputError
        There is none; the message lists the endings that would do.
    """
    if name is not None:
        one = FORMATS.get(name)
        if content not in one.writes:
            raise OutputError(f"{WORDS[content]} cannot be written as {one.title}", "`myoscope formats` lists what can be.")
        return one
    writers = [one for _, one in FORMATS.items() if one.writes.get(content)]
    writers.sort(key=lambda one: -one.precedence)
    # The longest ending says most: ".nii.gz" before ".gz".
    fitting = [(len(ending), one) for one in writers for ending in one.writes[content] if _fits(Path(path), ending)]
    if fitting:
        return max(fitting, key=lambda found: found[0])[1]
    known = [ending for one in writers for ending in one.writes[content]]
    words = ", ".join(ending for ending in known if ending != FOLDER) + (", or a folder" if FOLDER in known else "")
    stem, usual = STEMS[content], known[0] if known else ""
    raise OutputError(
        f"{WORDS[content]} cannot be written as {Path(path).suffix or 'a file without an ending'} (expected {words})",
        f"Name the output for example {stem}{usual}.",
    )


def _fits(path: Path, ending: str) -> bool:
    if ending == FOLDER:
        return is_folder(path) or not path.suffix
    return path.name.lower().endswith(ending) and not is_folder(path)


def check_output(content: Content, path: str | Path, inputs: Sequence[Path] = (), name: str | None = None) -> None:
    """Raise ``OutputError`` at once when ``content`` could not be written to ``path`` later.

    ``inputs`` are files that are read: writing over one of them is refused.
    """
    refuse(path, *inputs)
    one = writer(content, path, name)
    endings = one.writes[content]
    if not any(_fits(Path(path), ending) for ending in endings if ending != FOLDER):
        check_folder_writable(path)
        return
    for target in one.outputs(content, Path(path)):
        check_writable(target, *inputs)


def patterns(content: Content) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return for a file dialog what ``content`` can be written as: title and patterns, the usual first."""
    writers = sorted((one for _, one in FORMATS.items() if one.writes.get(content)), key=lambda one: -one.precedence)
    found = [(one.title, tuple("*" + e for e in one.writes[content] if e != FOLDER)) for one in writers]
    return tuple((title, endings) for title, endings in found if endings)
