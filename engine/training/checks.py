"""Contradictions of a configuration, each naming the settings that stand against each other; told before anything is computed."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.core import device as devices
from engine.core.errors import EngineError, InputError
from engine.core.records.training import Problem
from engine.core.types import Kind
from engine.datasets.sources import MOVING, PHANTOM, SAMPLE
from engine.io.samples import samples
from engine.losses import LOSSES
from engine.models import MODELS
from engine.models.contract import ModelSpec
from engine.models.parts.mapping import MAPPING
from engine.reconstruction.weights import card_of, spec_of
from engine.sampling import MASKS
from engine.training.config import ModelPart, SourcePart, TrainConfig, build, parse

MAPPING_LOSSES = ("l1_tissue",)  # what the mapping network, whose images are signals of its maps, can be trained with


def trainable() -> dict[str, ModelSpec]:
    """Return everything that can be trained, by name: the networks, and the mapping network."""
    return {**{name: spec for name, spec in MODELS.items() if spec.trainable}, MAPPING.name: MAPPING}


def check(config: TrainConfig) -> tuple[ModelSpec, Any]:
    """Return the network's spec and settings.

    Raises
    ------
    InputError
        The first contradiction, with the names of both settings.
    """
    for problem in contradictions(config):
        raise problem.error()
    spec = spec_of(config.model.network)
    return scaled(spec, config.model), settings(config, spec, [])


def scaled(spec: ModelSpec, part: ModelPart) -> ModelSpec:
    """Return the network with the scaling of its input that is asked for, or that the weights it starts from are used to."""
    rule = part.scaling or (card_of(part.start).normalisation if part.start else "") or spec.normalise
    return spec if rule == spec.normalise else dataclasses.replace(spec, normalise=rule)


def problems_of(values: Mapping[str, Any]) -> list[Problem]:
    """Return everything that is wrong with a configuration given as plain values: values first, then contradictions."""
    config, problems = parse(values)
    known = {name for problem in problems for name in problem.fields}
    return problems + [problem for problem in contradictions(config) if not known.intersection(problem.fields)]


def contradictions(config: TrainConfig) -> Iterator[Problem]:
    """Yield the contradictions of a configuration whose single values are right."""
    spec = trainable().get(config.model.network)
    if spec is None:
        yield _no_network(config.model.network)
    else:
        found: list[Problem] = []
        network_config = settings(config, spec, found)
        yield from found
        if not found:
            yield from _network(config, spec, network_config)
            yield from _losses(config, spec, network_config)
    if not config.data.sources:
        yield Problem(("data.sources",), "data.sources are empty (expected at least one)", "Use for example phantom:cine.")
    for field, parts in (("data.sources", config.data.sources), ("data.validation", config.data.validation)):
        for part in parts:
            yield from _source(part, spec, field)
    yield from _crops(config)
    yield from _optimiser(config)
    yield from _machine(config)


def settings(config: TrainConfig, spec: ModelSpec, problems: list[Problem]) -> Any:
    """Return the network's settings: those of the weights it starts from, or preset and options."""
    part = config.model
    if part.start:
        try:
            card = card_of(part.start)
        except EngineError as error:
            problems.append(Problem(("model.start",), f"model.start: {error.message}", error.hint))
            card = None
        if card is not None and card.network == spec.name:
            stored: Any = build(spec.config, card.config, "model.start.", problems)
            if (part.preset or part.options) and _asked(part.preset, part.options, spec, problems) != stored:
                problems.append(
                    Problem(
                        ("model.start", "model.preset", "model.options"),
                        f"model.start = {part.start} has other settings than model.preset and model.options",
                        "Leave both empty: the weights bring their own.",
                    )
                )
            return stored
        if card is not None:
            problems.append(
                Problem(
                    ("model.start", "model.network"),
                    f"model.start = {part.start} are weights of {card.network}, model.network = {spec.name}",
                    f"Choose weights of {spec.name}, or model.network = {card.network}.",
                )
            )
    return _asked(part.preset, part.options, spec, problems)


def _asked(preset: str, options: Mapping[str, Any], spec: ModelSpec, problems: list[Problem]) -> Any:
    chosen = preset or next(iter(spec.presets))
    if chosen not in spec.presets:
        message = f"model.preset = {chosen} is not one of model.network = {spec.name} (expected {', '.join(spec.presets)})"
        problems.append(Problem(("model.preset", "model.network"), message, "Choose another."))
        chosen = next(iter(spec.presets))
    return build(spec.config, options, "model.options.", problems, spec.presets[chosen])


def _no_network(name: str) -> Problem:
    try:
        spec = MODELS.get(name)
    except InputError as error:
        return Problem(("model.network",), error.message, error.hint)
    return Problem(("model.network",), f"model.network = {spec.name} has no weights to train", "Choose a network.")


def _network(config: TrainConfig, spec: ModelSpec, network_config: Any) -> Iterator[Problem]:
    """Yield what does not fit the network."""
    part, high = config.model, config.data.acquisition.coils[1]
    if part.freeze:
        with torch.device("meta"):
            module = spec.build(network_config)
        assert isinstance(module, nn.Module)
        names = [name for name, _ in module.named_parameters()]
        for beginning in part.freeze:
            if not any(name.startswith(beginning) for name in names):
                tops = ", ".join(dict.fromkeys(name.split(".")[0] for name in names))
                message = f"model.freeze = {beginning} is the beginning of no parameter of model.network = {spec.name}"
                yield Problem(("model.freeze", "model.network"), message, f"They begin with {tops}.")
        if all(name.startswith(part.freeze) for name in names):
            yield Problem(("model.freeze",), "model.freeze keeps every parameter (expected some to train)", "Freeze less.")
    single = spec.max_coils == 1 or getattr(network_config, "complex_images", True) is False
    if single and high > 1:
        message = f"data.acquisition.coils = {high} at most, model.network = {spec.name} with these settings is for one coil"
        yield Problem(("data.acquisition.coils", "model.network"), message, "Set data.acquisition.coils = [1, 1].")
    if getattr(network_config, "maps", "given") == "network":
        for name, masks in (("masks", config.masks), ("validation_masks", config.validation_masks)):
            if masks.acs[0] < 4:
                message = f"{name}.acs = {masks.acs[0]}, model.options.maps = network makes coil maps from the ACS lines"
                yield Problem((f"{name}.acs", "model.options"), message, f"Set {name}.acs to 4 or more, or maps = given.")
    if part.scaling and spec is MAPPING:
        message = f"model.scaling = {part.scaling}, the mapping network's images are always scaled by {spec.normalise}"
        yield Problem(("model.scaling", "model.network"), message, "Leave model.scaling empty.")
    frames = spec.frames_of(network_config)
    if frames is not None and "cine" in spec.kinds and config.data.acquisition.frames != (frames, frames):
        message = f"data.acquisition.frames differ from the {frames} frames that model.network = {spec.name} is built for"
        yield Problem(("data.acquisition.frames", "model.network"), message, f"Set data.acquisition.frames = [{frames}, {frames}].")


def _losses(config: TrainConfig, spec: ModelSpec, network_config: Any) -> Iterator[Problem]:
    """Yield what does not fit the loss."""
    if not config.losses or not any(config.losses.values()):
        yield Problem(("losses",), "losses are empty (expected at least one term with a weight)", "Use for example l1 = 1.0.")
    if spec is MAPPING and config.data.mode == "self":
        message = "data.mode = self learns from k-space, model.network = mapping_network from fully sampled images"
        yield Problem(("data.mode", "model.network"), message, "Set data.mode = supervised.")
        return
    magnitude = getattr(network_config, "output", "complex") == "magnitude"
    for name, weight in config.losses.items():
        field = f"losses.{name}"
        try:
            loss = LOSSES.get(name)
        except InputError as error:
            yield Problem((field,), error.message, error.hint)
            continue
        if not 0 <= weight < math.inf:
            yield Problem((field,), f"{field} = {weight:g} (expected a finite number, 0 or more)", "Give it a positive weight.")
        if spec is MAPPING and name not in MAPPING_LOSSES:
            message = f"{field} compares images, model.network = {spec.name} makes maps"
            yield Problem((field, "model.network"), message, f"Use {', '.join(MAPPING_LOSSES)}.")
            continue
        if config.data.mode == "self" and loss.needs_target:
            message = f"{field} needs fully sampled data, data.mode = self has none"
            yield Problem((field, "data.mode"), message, "Use kspace_l1_l2, or data.mode = supervised.")
        if loss.networks and spec.name not in loss.networks:
            message = f"{field} belongs to {', '.join(loss.networks)}, model.network = {spec.name} does not report what it needs"
            yield Problem((field, "model.network"), message, "Leave it out.")
        if magnitude and loss.needs_phase:
            message = f"{field} compares complex values, model.network = {spec.name} with these settings gives magnitudes only"
            yield Problem((field, "model.network"), message, "Use l1_magnitude or mse_magnitude, or settings with complex output.")
        if loss.needs_mapping and not config.model.mapping:
            message = f"{field} asks a mapping network, and model.mapping is empty"
            yield Problem((field, "model.mapping"), message, "Train one with model.network = mapping_network and name its weights.")
    if config.model.mapping:
        yield from _mapping_weights(config)


def _mapping_weights(config: TrainConfig) -> Iterator[Problem]:
    try:
        card = card_of(config.model.mapping)
    except EngineError as error:
        yield Problem(("model.mapping",), f"model.mapping: {error.message}", error.hint)
        return
    if card.network != MAPPING.name:
        message = f"model.mapping = {config.model.mapping} are weights of {card.network} (expected {MAPPING.name})"
        yield Problem(("model.mapping",), message, f"Choose weights of {MAPPING.name}.")


def _source(part: SourcePart, spec: ModelSpec | None, field: str) -> Iterator[Problem]:
    """Yield what can be told about a source without opening its files."""
    place = part.location
    if not place.removeprefix(MOVING).strip():
        yield Problem((field,), f"{field} has an entry without a place (found location = {place!r})", "Name a file or a folder.")
        return
    if place.startswith(PHANTOM):
        kind = place.removeprefix(PHANTOM)
        kinds = [one.value for one in Kind if one is not Kind.UNKNOWN]
        if kind not in kinds:
            message = f"there is no phantom of {kind} (expected {', '.join(kinds)})"
            yield Problem((field,), message, "Write for example phantom:cine.")
        elif spec is not None and kind not in spec.kinds:
            yield wrong_kind(place, [kind], spec, field)
        return
    if place.startswith(SAMPLE):
        known = [sample.name for sample in samples()]
        if place.removeprefix(SAMPLE) not in known:
            yield Problem((field,), f"{field}: there is no sample {place.removeprefix(SAMPLE)}", f"There are {', '.join(known)}.")
        return
    path = Path(os.path.expandvars(place.removeprefix(MOVING))).expanduser()
    if "$" in str(path):
        message = f"{place} names a variable that is not set"
        yield Problem((field,), message, "Set it in the environment, or write the path.")
    elif not path.exists():
        message = f"there is no {path} (expected a file or a folder)"
        yield Problem((field,), message, "Check the path in the configuration.")


def wrong_kind(source: str, kinds: list[str], spec: ModelSpec, field: str = "data.sources") -> Problem:
    """Return what to say when a source holds series of kinds that a network is not made for."""
    message = f"{source} holds {', '.join(kinds)}, model.network = {spec.name} is made for {', '.join(spec.kinds)}"
    return Problem((field, "model.network"), message, "Choose other data or another network.")


def _crops(config: TrainConfig) -> Iterator[Problem]:
    """Yield crops along a readout that is not measured whole: they are no exact smaller problem."""
    data = config.data
    for field, columns, name, masks in (
        ("data.columns", data.columns, "masks", config.masks),
        ("data.validation_columns", data.validation_columns, "validation_masks", config.validation_masks),
    ):
        if columns and not masks.full_readout:
            varies = ", ".join(pattern for pattern in masks.patterns if not MASKS.get(pattern).cartesian_1d)
            message = f"{field} = {columns} crops the readout, and {name}.patterns has {varies}, which varies along it"
            yield Problem((field, f"{name}.patterns"), message, f"Set {field} = 0, or choose patterns of whole lines.")


def _optimiser(config: TrainConfig) -> Iterator[Problem]:
    part, run = config.optimiser, config.run
    if part.warm_up > run.steps:
        message = f"optimiser.warm_up = {part.warm_up} is longer than run.steps = {run.steps}"
        yield Problem(("optimiser.warm_up", "run.steps"), message, "Shorten the warm-up.")
    if part.weight_decay and part.name != "adamw":
        message = f"optimiser.weight_decay = {part.weight_decay:g} is for AdamW, optimiser.name = {part.name}"
        yield Problem(("optimiser.weight_decay", "optimiser.name"), message, "Choose adamw, or no weight decay.")
    if part.learning_rate <= 0:
        yield Problem(("optimiser.learning_rate",), "optimiser.learning_rate = 0 learns nothing", "Use for example 0.001.")
    if not all(0 <= beta < 1 for beta in part.betas):
        message = f"optimiser.betas = {part.betas[0]:g}, {part.betas[1]:g} (expected 0 to below 1)"
        yield Problem(("optimiser.betas",), message, "Use 0.9 and 0.999.")


def _machine(config: TrainConfig) -> Iterator[Problem]:
    run = config.run
    try:
        device = devices.choose(run.device)
    except InputError as error:
        yield Problem(("run.device",), f"run.device: {error.message}", "Use auto.")
        return
    if run.precision == "float16" and device.type != "cuda":
        message = f"run.precision = float16 needs a CUDA GPU, run.device = {run.device} is {devices.label(device)}"
        yield Problem(("run.precision", "run.device"), message, "Use bfloat16 or float32.")
    if run.tensorboard and importlib.util.find_spec("tensorboard") is None:
        message = "run.tensorboard = true needs the package tensorboard (found none)"
        yield Problem(("run.tensorboard",), message, "Install it: `pip install tensorboard`, or set run.tensorboard = false.")
