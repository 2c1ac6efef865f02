"""The configuration as a form can show it: every setting with its kind, help, choices, range and default, by dotted name."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

from engine.core.records.training import TrainSetting
from engine.core.types import Kind
from engine.losses import LOSSES
from engine.models.contract import KINDS
from engine.sampling import MASKS
from engine.training.checks import trainable
from engine.training.config import SourcePart, TrainConfig, plain

SIMPLE = {str: "text", int: "integer", float: "number", bool: "flag"}


def schema() -> list[TrainSetting]:
    """Return every setting, in order."""
    return list(_settings(TrainConfig, TrainConfig(), ""))


def _settings(cls: type[Any], defaults: Any, where: str) -> Iterator[TrainSetting]:
    hints = typing.get_type_hints(cls)
    for one in dataclasses.fields(cls):
        name, hint = f"{where}{one.name}", hints[one.name]
        default = getattr(defaults, one.name)
        if dataclasses.is_dataclass(hint):
            yield from _settings(typing.cast("type[Any]", hint), default, f"{name}.")
            continue
        low, high = one.metadata.get("range", (None, None))
        kind = _kind(hint)
        sources = kind == "sources"
        yield TrainSetting(
            name=name,
            kind=kind,
            default=[plain(dataclasses.asdict(entry)) for entry in default] if sources else plain(default),
            help=one.metadata["help"],
            choices=tuple(_choices(name) or one.metadata.get("choices") or ()),
            low=low,
            high=high,
            fields=tuple(_settings(SourcePart, SourcePart(), "")) if sources else (),
        )


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
