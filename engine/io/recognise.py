"""How a file finds its format: all look at it, the surest wins, equals go by precedence; who fails is told and passed over."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import EngineError, FormatError
from engine.io import probe
from engine.io.contract import FORMATS, Format

log = logging.getLogger("myoscope")


@dataclass(frozen=True, slots=True)
class Recognised:
    """The format of a path (None when nobody knows it), and which formats failed at looking, in sentences."""

    format: Format | None
    failures: tuple[str, ...] = ()


def recognise(path: Path) -> Recognised:
    """Return the format that is surest of ``path``, a file or a folder."""
    marks: list[tuple[float, int, Format]] = []
    failures: list[str] = []
    with probe.remembering(path):
        for _, one in FORMATS.items():
            try:
                mark = one.sniff(path)
            except Exception as error:  # one format's defect must not hide what the others can read
                log.debug("sniffer of %s failed", one.name, exc_info=True)
                failures.append(f"the reader of {one.title} failed at recognising {path.name}: {reason(error)}")
                continue
            if mark > 0:
                marks.append((mark, one.precedence, one))
    best = max(marks, key=lambda found: found[:2], default=None)
    return Recognised(best[2] if best else None, tuple(failures))


def format_of(path: Path) -> tuple[Format, tuple[str, ...]]:
    """Return the format of a path and the failures of others; raise ``FormatError`` when nobody knows it."""
    found = recognise(path)
    if found.format is None:
        told = f"; {'; '.join(found.failures)}" if found.failures else ""
        raise FormatError(
            f"{path.name} is of no format that can be read (tried {', '.join(FORMATS.names())}{told})",
            "`myoscope formats` lists what can be read and what each format needs.",
        )
    return found.format, found.failures


def as_format_error(path: Path, one: Format, error: Exception) -> EngineError:
    """Return what a reader raised as an error with a hint: its own stays, a library's or a defect's becomes one."""
    if isinstance(error, EngineError):
        return error
    log.debug("reader of %s failed", one.name, exc_info=error)
    if isinstance(error, MemoryError):
        return FormatError(f"{path.name} claims more data than the memory holds", "Check the file; open fewer slices or frames.")
    return FormatError(
        f"{path.name} cannot be read as {one.title} ({reason(error)})",
        "The file is damaged, or of a variant that is not understood: copy or export it again.",
    )


def reason(error: BaseException) -> str:
    """Return what an error says in one short line."""
    text = " ".join(str(error).split())[:160]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
