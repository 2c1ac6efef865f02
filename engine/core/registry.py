"""Registries that fill themselves: a package's modules register what they hold, nobody edits a list."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

from engine.core.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named things of one kind, registered by the modules of one package.

    Parameters
    ----------
    kind
        What an entry is, in the singular and in the user's words ("mask pattern").
    package
        Dotted name of the package whose modules register themselves when imported. They are imported on first use.
    command
        The command that lists the entries, named in the hint of an unknown name.
    """

    def __init__(self, kind: str, package: str, command: str = "") -> None:
        self.kind = kind
        self.package = package
        self._command = command
        self._entries: dict[str, T] = {}
        self._loaded = False

    def register(self, name: str, entry: T) -> T:
        """Add ``entry`` under ``name``; a second entry of the same name is a programming error."""
        if name in self._entries:
            raise RuntimeError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry
        return entry

    def _load(self) -> None:
        if self._loaded:
            return
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        if not self._entries:
            raise RuntimeError(f"no {self.kind} was found in {self.package}: the installation is incomplete")
        self._loaded = True

    def get(self, name: str) -> T:
        """Return the entry called ``name``; raise ``UnknownNameError`` with the nearest names otherwise."""
        self._load()
        if name not in self._entries:
            # A good match stands alone; a poor one is better than none. Capitals and hyphens are no difference.
            written = name.lower().replace("-", "_").replace(" ", "_")
            close = difflib.get_close_matches
            near = close(written, self._entries, n=3, cutoff=0.65) or close(written, self._entries, n=1, cutoff=0.4)
            meant = f"Did you mean {' or '.join(near)}? " if near else ""
            listing = f"`myoscope {self._command}` lists all." if self._command else f"Known: {', '.join(self._entries)}."
            raise UnknownNameError(f"unknown {self.kind} {name!r} (expected one of {len(self._entries)} names)", meant + listing)
        return self._entries[name]

    def names(self) -> list[str]:
        """Return all names in alphabetical order."""
        self._load()
        return sorted(self._entries)

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield ``(name, entry)`` in alphabetical order of names."""
        self._load()
        for name in sorted(self._entries):
            yield name, self._entries[name]
