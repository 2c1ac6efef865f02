"""Errors a user can act on: each carries what was wrong (expected against found) and a hint."""

from __future__ import annotations


class EngineError(Exception):
    """Base of every error the engine raises on purpose.

    Parameters
    ----------
    message
        What was wrong, with expected against found. One sentence.
    hint
        What the user can do about it. One sentence.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[EngineError], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class InputError(EngineError):
    """An option or a value given by the user cannot be used."""


class UnknownNameError(InputError):
    """A name that no registry holds."""


class FormatError(EngineError):
    """A file is missing, damaged, or not of a format that can be read."""


class ShapeError(EngineError):
    """An array has other axes or sizes than what it is used for needs."""


class CheckpointMismatch(EngineError):
    """Weights do not belong to the network they are loaded into."""


class DeviceMemoryError(EngineError):
    """The device ran out of memory; nothing was lost, a smaller or another device may do."""


class DependencyError(EngineError):
    """An optional library is missing; the hint says what to install."""


class OutputError(EngineError):
    """A result could not be written; what stood there before is untouched."""


class Cancelled(EngineError):
    """The user asked for the work to stop. Not a failure."""

    def __init__(self, message: str = "cancelled", hint: str = "") -> None:
        super().__init__(message, hint)
