"""The configuration of a training run: what a person writes in TOML, and what the window's form is made from."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.core.errors import FormatError, InputError
from engine.core.records.training import Problem
from engine.datasets.acquisition import Acquisition
from engine.datasets.augment import Augmentation
from engine.datasets.masks import Masks
from engine.physics.scaling import RULES

OPTIMISERS = ("adam", "adamw")
SCHEDULES = ("constant", "cosine", "step", "poly", "wsd")
PRECISIONS = ("float32", "bfloat16", "float16")
MODES = ("supervised", "self")
CASCADES = ("last", "all", "log")


def _help(text: str, **more: Any) -> dict[str, Any]:
    return {"help": text, **more}


@dataclass(frozen=True, slots=True)
class ModelPart:
    """What is trained, and from where."""

    network: str = field(default="myonet", metadata=_help("Network"))
    preset: str = field(default="", metadata=_help("Preset of the network; empty takes its first one"))
    options: dict[str, Any] = field(default_factory=dict, metadata=_help("Settings of the network that differ from the preset"))
    start: str = field(default="", metadata=_help("Weights to start from (id or file); empty starts from scratch"))
    scaling: str = field(
        default="",
        metadata=_help(
            "Scaling of the network's input; empty takes that of the weights it starts from, or the network's own. One of the "
            "image hardly changes with crops of the readout, one of k-space does",
            choices=("", *RULES),
        ),
    )
    freeze: tuple[str, ...] = field(default=(), metadata=_help("Parameters kept as they are: beginnings of their names"))
    mapping: str = field(default="", metadata=_help("Weights of the mapping network that the relaxometry terms ask (id or file)"))


@dataclass(frozen=True, slots=True)
class SourcePart:
    """One source of data; see :func:`engine.datasets.sources.open_source`."""

    location: str = field(default="sample:porcine_cine", metadata=_help("sample:NAME, phantom:KIND, moving:FOLDER, file or folder"))
    slices: tuple[int, ...] = field(default=(), metadata=_help("Slices to take, from 0; empty takes all"))
    leave_out: tuple[int, ...] = field(default=(), metadata=_help("Slices to keep out"))
    weight: float = field(default=1.0, metadata=_help("How often it is drawn, beside the other sources", range=(0, 1e6)))
    axes: str = field(default="", metadata=_help("Order of axes where the file does not say it"))
    kind: str = field(default="", metadata=_help("cine, molli or t2prep where the file does not say it"))


@dataclass(frozen=True, slots=True)
class DataPart:
    """What it is trained on."""

    sources: tuple[SourcePart, ...] = field(default=(SourcePart("phantom:cine"),), metadata=_help("Training data"))
    validation: tuple[SourcePart, ...] = field(
        default=(), metadata=_help("Data for validation; empty keeps a share of the subjects out of training")
    )
    validation_share: float = field(default=0.15, metadata=_help("Share of subjects kept for validation", range=(0, 0.9)))
    validation_examples: int = field(default=4, metadata=_help("Examples in a validation", range=(1, 1000)))
    validation_columns: int = field(
        default=96, metadata=_help("Crop along the readout in validations; 0 takes the whole readout", range=(0, 4096))
    )
    mode: str = field(default="supervised", metadata=_help("supervised, or self for data never fully sampled", choices=MODES))
    columns: int = field(
        default=48, metadata=_help("Crop along the readout in pixels; 0 trains on the whole readout", range=(0, 4096))
    )
    reuse: int = field(default=3, metadata=_help("Examples in a row from one simulated scene", range=(1, 1000)))
    acquisition: Acquisition = field(default_factory=Acquisition, metadata=_help("Simulated acquisitions"))
    augmentation: Augmentation = field(default_factory=Augmentation, metadata=_help("Augmentation"))


@dataclass(frozen=True, slots=True)
class OptimiserPart:
    """How it is trained."""

    name: str = field(default="adam", metadata=_help("Optimiser", choices=OPTIMISERS))
    learning_rate: float = field(default=1e-3, metadata=_help("Learning rate", range=(0, 1)))
    scalar_rate: float = field(
        default=1.0,
        metadata=_help("Learning rate of lone numbers (step sizes, thresholds) as a multiple of the others'", range=(0, 1000)),
    )
    betas: tuple[float, float] = field(default=(0.9, 0.999), metadata=_help("Decay of the moments"))
    weight_decay: float = field(default=0.0, metadata=_help("Weight decay (AdamW only)", range=(0, 1)))
    schedule: str = field(
        default="cosine",
        metadata=_help(
            "How the learning rate falls; wsd (warm-up, stable, decay) holds it and lets it fall at the end, so that a run can be "
            "made longer before that",
            choices=SCHEDULES,
        ),
    )
    warm_up: int = field(default=50, metadata=_help("Steps until the learning rate is reached", range=(0, 10**6)))
    lowest: float = field(
        default=0.01, metadata=_help("Last learning rate as a share of the first (cosine, poly, wsd)", range=(0, 1))
    )
    decay: float = field(
        default=0.5, metadata=_help("Factor of each fall (step), power (poly), share of the steps (wsd)", range=(0, 10))
    )
    decay_steps: int = field(default=1000, metadata=_help("Steps between falls (step)", range=(1, 10**7)))
    clip: float = field(default=1.0, metadata=_help("Largest norm of the gradient; 0 does not clip", range=(0, 1e6)))
    batch: int = field(default=1, metadata=_help("Examples for one step; their gradients are averaged", range=(1, 4096)))
    ema: float = field(default=0.999, metadata=_help("Moving average of the weights; 0 takes the last ones", range=(0, 0.99999)))


@dataclass(frozen=True, slots=True)
class RunPart:
    """How long, where, and what is kept."""

    steps: int = field(default=2000, metadata=_help("Steps in all", range=(1, 10**8)))
    minutes: float = field(default=0.0, metadata=_help("Stop after so many minutes; 0 does not", range=(0, 1e6)))
    epoch: int = field(default=100, metadata=_help("Steps between validations", range=(1, 10**7)))
    patience: int = field(
        default=0, metadata=_help("Stop after so many validations without a better one; 0 does not", range=(0, 10**6))
    )
    checkpoint_steps: int = field(default=50, metadata=_help("Steps between checkpoints", range=(1, 10**7)))
    seed: int = field(default=0, metadata=_help("Everything random depends on it", range=(0, 2**31 - 1)))
    device: str = field(default="auto", metadata=_help("auto, cpu, cuda or cuda:N"))
    precision: str = field(
        default="float32", metadata=_help("Precision of the network; physics is float32 always", choices=PRECISIONS)
    )
    checkpointing: bool = field(
        default=False, metadata=_help("Compute activations again instead of keeping them: less memory, more time")
    )
    threads: int = field(default=0, metadata=_help("CPU threads; 0 leaves one core to the window", range=(0, 1024)))
    tensorboard: bool = field(default=False, metadata=_help("Write a TensorBoard log"))
    csv: bool = field(default=True, metadata=_help("Write losses and scores as CSV"))


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """All of it. ``losses`` maps a term's name to its weight."""

    name: str = field(default="myonet", metadata=_help("Name of the run, and of the weights it makes"))
    notes: str = field(default="", metadata=_help("Notes for the model card"))
    licence: str = field(default="not stated", metadata=_help("Licence of the weights, for the model card"))
    model: ModelPart = field(default_factory=ModelPart, metadata=_help("Network"))
    data: DataPart = field(default_factory=DataPart, metadata=_help("Data"))
    masks: Masks = field(default_factory=Masks, metadata=_help("Masks to train with"))
    validation_masks: Masks = field(
        default_factory=lambda: Masks(("equispaced",), (8.0, 8.0), (24, 24)), metadata=_help("Masks to validate with")
    )
    losses: dict[str, float] = field(default_factory=lambda: {"l1": 1.0}, metadata=_help("Loss terms and their weights"))
    cascades: str = field(
        default="last",
        metadata=_help(
            "Which cascades' images are compared: the last, all alike, or all with weights that grow tenfold from first to last",
            choices=CASCADES,
        ),
    )
    optimiser: OptimiserPart = field(default_factory=OptimiserPart, metadata=_help("Optimiser"))
    run: RunPart = field(default_factory=RunPart, metadata=_help("Run"))


def read_config(path: str | Path) -> TrainConfig:
    """Read a configuration from a TOML file.

    Raises
    ------
    FormatError, InputError
        No file, no TOML, an unknown name (the nearest one is in the hint), a value of another type or out of range.
    """
    file = Path(path)
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FormatError(f"there is no configuration {file}", "Check the path.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FormatError(f"{file.name} is not a configuration in TOML ({error})", "See the ones in resources/presets.") from error
    return from_values(values)


def from_values(values: Mapping[str, Any]) -> TrainConfig:
    """Return the configuration of plain values, as :func:`to_values` gives them; missing ones are defaults.

    Raises
    ------
    InputError
        As :func:`read_config`.
    """
    config, problems = parse(values)
    if problems:
        raise problems[0].error()
    return config


def parse(values: Mapping[str, Any]) -> tuple[TrainConfig, list[Problem]]:
    """Return the configuration of plain values, with defaults where a value cannot be used, and a problem for each of these."""
    problems: list[Problem] = []
    config: TrainConfig = build(TrainConfig, values, "", problems)
    return config, problems


def to_values(config: Any) -> dict[str, Any]:
    """Return a configuration as plain values that TOML and JSON can hold."""
    return {key: plain(value) for key, value in dataclasses.asdict(config).items()}


def plain(value: Any) -> Any:
    """Return a value with lists in the place of tuples."""
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return value


def build(cls: type[Any], values: Mapping[str, Any], where: str, problems: list[Problem], base: Any = None) -> Any:
    """Return the dataclass ``cls`` from plain values, each checked for type, choices and range.

    Parameters
    ----------
    cls, values, where
        What to make, of what, and what stands before its names ("run.").
    problems
        Gets one entry for each value that cannot be used.
    base
        What values that are not given are taken from; None takes the defaults of ``cls``.
    """
    fields = {one.name: one for one in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    made: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{where}{key}"
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=2, cutoff=0.5)
            hint = f"Did you mean {' or '.join(near)}?" if near else "Remove it."
            problems.append(Problem((name,), f"unknown setting {name} (expected one of {', '.join(fields)})", hint))
            continue
        try:
            kept = _value(hints[key], value, name, problems)
            _check_range(fields[key], kept, name)
        except InputError as error:
            problems.append(Problem((name,), error.message, error.hint))
            continue
        made[key] = kept
    try:
        return cls(**made) if base is None else dataclasses.replace(base, **made)
    except InputError as error:  # what the dataclass itself refuses
        names = tuple(f"{where}{key}" for key in made if key in error.message) or (where.rstrip("."),)
        place = f"{where.rstrip('.')}: " if where else ""
        problems.append(Problem(names, place + error.message, error.hint))
        return cls() if base is None else base


def _value(kind: Any, value: Any, name: str, problems: list[Problem]) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        _expect(isinstance(value, Mapping), value, name, "a table")
        return build(typing.cast("type[Any]", kind), value, f"{name}.", problems)
    if origin is tuple:
        _expect(isinstance(value, (list, tuple)), value, name, "a list")
        if arguments[-1] is not Ellipsis and len(value) != len(arguments):
            raise InputError(f"{name} has {len(value)} values (expected {len(arguments)})", "Give low and high.")
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_value(one, part, f"{name}[{n}]", problems) for n, (one, part) in enumerate(zip(inner, value, strict=True)))
    if origin is dict:
        _expect(isinstance(value, Mapping), value, name, "a table")
        return {key: _value(arguments[1], part, f"{name}.{key}", problems) for key, part in value.items()}
    if kind is Any:
        return value
    if origin in (types.UnionType, typing.Union):  # a value or None
        kind = next(one for one in arguments if one is not type(None))
        return None if value is None else _value(kind, value, name, problems)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    words = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    _expect(type(value) is kind, value, name, words.get(kind, kind.__name__))
    return value


def _expect(right: bool, value: Any, name: str, expected: str) -> None:
    if not right:
        below = f"Write [{name}] and its settings below it." if expected == "a table" else f"Write {expected}."
        raise InputError(f"{name} is {value!r} (expected {expected})", below)


def _check_range(one: dataclasses.Field[Any], value: Any, name: str) -> None:
    choices = one.metadata.get("choices")
    if choices and value not in choices:
        listed = ", ".join(str(choice) or "empty" for choice in choices)
        raise InputError(f"{name} is {value!r} (expected one of {listed})", f"Choose one of {listed}.")
    limits = one.metadata.get("range")
    if limits and isinstance(value, (int, float)) and not limits[0] <= value <= limits[1]:
        raise InputError(f"{name} is {value:g} (expected {limits[0]:g} to {limits[1]:g})", one.metadata["help"] + ".")
