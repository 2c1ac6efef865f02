"""The configuration as a form can show it: every setting with its kind, help, choices, range and default, by dotted name."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

from engine.core.types import Kind
from engine.losses import LOSSES
from engine.models.contract import KINDS
from engine.sampling import MASKS
from engine.training.checks import trainable
from engine.training.config import SourcePart, TrainConfig, plain

SIMPLE = {str: "text", int: "integer", float: "number", bool: "flag"}


def schema() -> list[dict[str, Any]]:
    """Return a record for each setting, in order: name, type, default, help, choices, range (None where there are none).

    ``type`` is ``text``, ``integer``, ``number``, ``flag``; ``texts``, ``integers`` (lists); ``integer_range``, ``number_range``
    (low and high); ``weights`` (choices with a number each); ``options`` (settings of the network, whatever they are); ``sources``
    (a list of entries, whose settings are in ``fields``).
    """
    return list(_records(TrainConfig, TrainConfig(), ""))


def _records(cls: type[Any], defaults: Any, where: str) -> Iterator[dict[str, Any]]:
    hints = typing.get_type_hints(cls)
    for one in dataclasses.fields(cls):
        name, kind = f"{where}{one.name}", hints[one.name]
        default = getattr(defaults, one.name)
        if dataclasses.is_dataclass(kind):
            yield from _records(typing.cast("type[Any]", kind), default, f"{name}.")
            continue
        limits = one.metadata.get("range")
        choices = _choices(name) or one.metadata.get("choices")
        record = {
            "name": name,
            "type": _kind(kind),
            "default": plain(default),
            "help": one.metadata["help"],
            "choices": None if choices is None else list(choices),
            "range": None if limits is None else list(limits),
        }
        if record["type"] == "sources":
            record["default"] = [plain(dataclasses.asdict(entry)) for entry in default]
            record["fields"] = list(_records(SourcePart, SourcePart(), ""))
        yield record


def _kind(hint: Any) -> str:
    """Return the name of what a control for this type holds."""
    if hint in SIMPLE:
        return SIMPLE[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is dict:
        return "weights" if arguments[1] is float else "options"
    if arguments[0] is SourcePart:
        return "sources"
    inner = SIMPLE[arguments[0]]
    return f"{inner}s" if arguments[-1] is Ellipsis else f"{inner}_range"


def _choices(name: str) -> tuple[str, ...] | None:
    """Return what the program knows by name."""
    if name == "model.network":
        return tuple(trainable())
    if name.endswith("masks.patterns"):
        return tuple(MASKS.names())
    if name == "losses":
        return tuple(LOSSES.names())
    if name == "kind":  # of a source
        return ("", *(kind.value for kind in Kind if kind.value in KINDS))
    return None
