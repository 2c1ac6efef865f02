"""Turning words of the command line into values, with errors that show an example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.core.errors import InputError
from engine.core.records.plain import Plain


def indices(text: str | None, size: int, name: str) -> tuple[int, ...] | None:
    """Return the indices of ``"0:2"``, ``"3"``, ``"0,2,5"`` or ``":"`` within ``size``; None when ``text`` is None."""
    if text is None:
        return None
    chosen: list[int] = []
    try:
        for part in text.split(","):
            if ":" in part:
                bounds = [int(word) if word.strip() else None for word in part.split(":")]
                chosen.extend(range(size)[slice(*bounds)])
            else:
                number = int(part)
                chosen.append(number + size if number < 0 else number)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{name} {text!r} cannot be read (expected something like 0:2, 3 or 0,2,5)", "Indices count from 0."
        ) from error
    outside = [i for i in chosen if not 0 <= i < size]
    if outside or not chosen:
        raise InputError(
            f"{name} {text!r} does not exist (expected 0 to {size - 1})", "Indices count from 0; `myoscope info` shows the sizes."
        )
    return tuple(dict.fromkeys(chosen))


def matrix(text: str) -> tuple[int, int]:
    """Return ``(ky, kx)`` of ``"192x160"``."""
    try:
        ky, kx = (int(word) for word in text.lower().split("x"))
    except ValueError as error:
        raise InputError(f"matrix {text!r} cannot be read (expected KYxKX)", "For example --matrix 192x160.") from error
    return ky, kx


def numbers(text: str | None, name: str) -> tuple[float, ...] | None:
    """Return the numbers of ``"100,180,260"``."""
    if text is None:
        return None
    try:
        return tuple(float(word) for word in text.replace(";", ",").split(",") if word.strip())
    except ValueError as error:
        raise InputError(
            f"{name} {text!r} cannot be read (expected numbers separated by commas)", f"For example --{name} 100,180,260."
        ) from error


def assignments(words: Sequence[str] | None, example: str) -> dict[str, Plain]:
    """Return the values of ``["iterations=30", "combine=rss"]``: numbers and true/false are recognised."""
    values: dict[str, Plain] = {}
    for word in words or ():
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise InputError(f"{word!r} cannot be read (expected NAME=VALUE)", f"For example {example}.")
        values[key.strip().replace("-", "_")] = _value(value.strip())
    return values


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text.lower() == "none":
        return None
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
