"""What of an HDF5 file lies in that very file. Links, storage and virtual datasets that lead elsewhere are never followed.

A file from elsewhere could otherwise show the bytes of any file of this machine as images, or wait for ever at a pipe.
"""

from __future__ import annotations

from pathlib import Path

import h5py

from engine.core.errors import FormatError
from engine.io.sizes import DEFLATE_RATIO, check_claim

LINKS = 16
SAME_FILE = "."
HINT = "Copy the data into one file (h5repack, or h5py's copy with expand_external)."


def get(file: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return what is called ``name`` (a path), None when it is not there or leads out of the file."""
    try:
        return _follow(file, name, LINKS)
    except FormatError:
        return None


def dataset(path: Path, file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return a dataset that may be read, None when there is none of that name.

    Raises
    ------
    FormatError
        It lies outside this file, or claims more than the file holds.
    """
    found = _follow(file, name, LINKS)
    if not isinstance(found, h5py.Dataset):
        return None
    if not is_inside(found):
        raise FormatError(f"{name} in {path.name} takes its values from another file, which is not opened", HINT)
    check_size(path, name, found)
    return found


def check_all(path: Path, file: h5py.File) -> None:
    """Raise ``FormatError`` when anything in a file leads out of it or claims more than the file holds.

    For our own files, in which nothing does; the files of others may have links that nobody asks for.
    """

    def visit_link(name: str, link: object) -> None:
        if isinstance(link, h5py.ExternalLink):
            raise FormatError(f"{name} in {path.name} is a link into another file, which is not opened", HINT)

    def visit_item(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            dataset(path, file, name)

    file.visititems_links(visit_link)
    file.visititems(visit_item)


def is_inside(found: h5py.Dataset) -> bool:
    """Whether the values are stored in the file itself."""
    if found.external:
        return False
    return not found.is_virtual or all(source.file_name == SAME_FILE for source in found.virtual_sources())


def check_size(path: Path, name: str, found: h5py.Dataset) -> None:
    """Raise ``FormatError`` when a dataset claims more than its stored bytes can be. What was never written reads as zeros."""
    if found.dtype.kind == "O" or found.is_virtual or found.shape is None:
        return
    stored = int(found.id.get_storage_size())
    # Chunks that were left out cost nothing in a file: the machine alone sets the limit.
    whole = found.chunks is None and stored > 0
    there = stored if whole else max(stored * DEFLATE_RATIO, path.stat().st_size * DEFLATE_RATIO)
    check_claim(path, name, found.shape, found.dtype, there)


def _follow(group: h5py.Group, name: str, links: int) -> h5py.Group | h5py.Dataset | None:
    here: h5py.Group | h5py.Dataset = group
    for part in (part for part in name.split("/") if part):
        if not isinstance(here, h5py.Group):
            return None
        link = here.get(part, getlink=True)
        if link is None:
            return None
        if isinstance(link, h5py.ExternalLink):
            raise FormatError(f"{name} is a link into another file, which is not opened", HINT)
        if isinstance(link, h5py.SoftLink):
            if links == 0:
                raise FormatError(f"{name} is a link that leads in circles", "Export the file again.")
            start = here.file if link.path.startswith("/") else here
            inner = _follow(start, link.path, links - 1)
            if inner is None:
                return None
            here = inner
            continue
        here = here[part]
    return here
