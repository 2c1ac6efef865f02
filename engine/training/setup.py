"""From a configuration to a state that can be trained: data, network, optimiser, and every contradiction named first."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.core import device as devices
from engine.core.errors import InputError
from engine.core.files import replacing
from engine.core.types import Kind
from engine.datasets.acquisition import acquire
from engine.datasets.examples import Example, Stream, make_example
from engine.datasets.sources import Item, Source, open_source
from engine.io.contract import OpenOptions
from engine.losses import LOSSES
from engine.models import MODELS
from engine.models.contract import ModelSpec
from engine.reconstruction.weights import load
from engine.training.config import SourcePart, TrainConfig, to_values
from engine.training.distributed import device_name
from engine.training.events import Sink
from engine.training.state import LAST, State, restore

CONFIG = "config.json"


def set_up(config: TrainConfig, folder: Path, sink: Sink, resume: bool = False, rank: int = 0, world: int = 1) -> State:
    """Return the state of a new run in ``folder``, or of the one that is there.

    Raises
    ------
    InputError, FormatError, CheckpointMismatch, OutputError
        Contradictions (both settings are named), data that cannot be used, weights of another network, a folder that cannot be
        written.
    """
    spec, network_config = check(config)
    device = devices.choose(device_name(config.run.device))
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    if config.run.precision == "float16" and device.type != "cuda":
        raise InputError("run.precision = float16 needs a CUDA GPU (found run.device = cpu)", "Use bfloat16 or float32.")
    training, weights, validation = open_data(config, spec, sink)
    torch.manual_seed(config.run.seed)
    module = _network(config, spec, network_config).to(device)
    frozen = (
        [name for name, _ in module.named_parameters() if name.startswith(tuple(config.model.freeze))]
        if config.model.freeze
        else []
    )
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in frozen)
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not trained:
        raise InputError("model.freeze keeps every parameter (expected some to train)", "Freeze less.")
    part = config.optimiser
    kind = torch.optim.AdamW if part.name == "adamw" else torch.optim.Adam
    optimiser = kind(trained.values(), lr=part.learning_rate, betas=part.betas, weight_decay=part.weight_decay)
    state = State(
        config=config,
        spec=spec,
        network_config=network_config,
        module=module,
        optimiser=optimiser,
        stream=Stream(
            training,
            weights,
            config.masks,
            config.data.acquisition,
            config.data.augmentation,
            config.data.columns or None,
            config.data.reuse,
            config.run.seed,
        ),
        validation=_validation_examples(config, validation),
        device=device,
        folder=folder,
        ema={name: p.detach().clone() for name, p in trained.items()} if part.ema > 0 else None,
        rank=rank,
        world=world,
    )
    if world > 1:
        state.parallel = nn.parallel.DistributedDataParallel(module, device_ids=[device] if device.type == "cuda" else None)
    if resume:
        restore(state, folder / LAST)
    elif rank == 0:
        _write_config(config, folder)
    return state


def _write_config(config: TrainConfig, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / LAST).exists():
        raise InputError(f"there is a run in {folder} already", "Resume it with --resume, or choose another name.")
    with replacing(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(to_values(config), indent=1), encoding="utf-8")


def check(config: TrainConfig) -> tuple[ModelSpec, Any]:
    """Return the network's spec and settings; raise ``InputError`` on any contradiction, naming both settings."""
    spec = MODELS.get(config.model.network)
    if not spec.trainable:
        raise InputError(f"model.network = {spec.name} has no weights to train", "Choose a network.")
    preset = config.model.preset or next(iter(spec.presets))
    if preset not in spec.presets:
        raise InputError(
            f"model.preset = {preset} is not one of model.network = {spec.name} (expected {', '.join(spec.presets)})",
            "Choose another.",
        )
    try:
        network_config = dataclasses.replace(spec.presets[preset], **config.model.options)
    except TypeError as error:
        raise InputError(
            f"model.options do not fit model.network = {spec.name} ({error})", "`myoscope models` lists settings."
        ) from error
    if not config.losses:
        raise InputError("losses are empty (expected at least one term)", "Use for example l1 = 1.0.")
    for name in config.losses:
        loss = LOSSES.get(name)
        if config.data.mode == "self" and loss.needs_target:
            raise InputError(
                f"losses.{name} needs fully sampled data, data.mode = self has none", "Use kspace_l1_l2, or data.mode = supervised."
            )
    if config.data.columns and not (config.masks.full_readout and config.validation_masks.full_readout):
        raise InputError(
            f"data.columns = {config.data.columns} crops the readout, and masks.patterns has one that varies along it",
            "Set data.columns = 0, or choose patterns of whole lines.",
        )
    if config.optimiser.warm_up > config.run.steps:
        raise InputError(
            f"optimiser.warm_up = {config.optimiser.warm_up} is longer than run.steps = {config.run.steps}", "Shorten the warm-up."
        )
    return spec, network_config


def open_data(config: TrainConfig, spec: ModelSpec, sink: Sink) -> tuple[list[Item], list[float], list[Item]]:
    """Return training items with their weights, and validation items; no subject is on both sides.

    *Exception*: slices of one file that are named apart by ``slices`` and ``leave_out`` may be.
    """
    opened = [(part, _open(part)) for part in config.data.sources]
    chosen = [(part, _open(part)) for part in config.data.validation]
    for _, source in (*opened, *chosen):
        for name, reason in source.skipped:
            sink({"event": "skipped", "file": name, "reason": reason})
        _check_source(config, spec, source)
    held: list[Item] = [item for _, source in chosen for item in source.items]
    subjects: set[str] = set()
    if not held:
        subjects = _held_subjects([source for _, source in opened], config)
        held = [item for _, source in opened for item in source.items if item.subject in subjects]
    if not held:
        held = [item for _, source in opened for item in source.items if source.endless]
    if not held:
        raise InputError(
            "nothing is left for validation (expected several subjects, or data.validation)",
            "Name data.validation, for example other slices of the same file.",
        )
    items: list[Item] = []
    weights: list[float] = []
    for part, source in opened:
        kept = [item for item in source.items if item.subject not in subjects]
        items += kept
        weights += [part.weight / len(kept)] * len(kept)
    if not items or not sum(weights) > 0:
        raise InputError("nothing is left to train on (data.validation_share keeps all subjects)", "Lower data.validation_share.")
    return items, weights, held


def _open(part: SourcePart) -> Source:
    options = OpenOptions(axes=part.axes or None, kind=part.kind or None)
    return open_source(part.location, part.slices, part.leave_out, options)


def _check_source(config: TrainConfig, spec: ModelSpec, source: Source) -> None:
    if config.data.mode == "supervised" and not source.fully_sampled:
        raise InputError(
            f"{source.name} was never fully sampled, and data.mode = supervised needs the truth",
            'Train with data.mode = "self": it learns from the samples there are.',
        )
    wrong = [kind.value for kind in source.kinds if kind is not Kind.UNKNOWN and kind.value not in spec.kinds]
    if wrong:
        raise InputError(
            f"{source.name} holds {', '.join(wrong)}, model.network = {spec.name} is made for {', '.join(spec.kinds)}",
            "Choose other data or another network.",
        )


def _held_subjects(sources: Sequence[Source], config: TrainConfig) -> set[str]:
    subjects = sorted({item.subject for source in sources if not source.endless for item in source.items})
    if len(subjects) < 2 or config.data.validation_share == 0:
        return set()
    count = max(1, round(config.data.validation_share * len(subjects)))
    rng = np.random.default_rng((config.run.seed, 4))
    return set(rng.permutation(subjects)[: min(count, len(subjects) - 1)].tolist())


def _validation_examples(config: TrainConfig, items: Sequence[Item]) -> list[Example]:
    """Return the examples of every validation: not augmented, the same from run to run."""
    examples = []
    for n in range(config.data.validation_examples):
        rng = np.random.default_rng((config.run.seed, 5, n))
        item = items[n * max(1, len(items) // config.data.validation_examples) % len(items)]
        scene = acquire(item.draw(rng), config.data.acquisition, None, rng)
        examples.append(make_example(scene, config.validation_masks, config.data.validation_columns or None, rng))
    return examples


def _network(config: TrainConfig, spec: ModelSpec, network_config: Any) -> nn.Module:
    if config.model.start:
        module, card = load(spec.name, config.model.start)
        found = card.get("config")
        if (
            found is not None
            and (config.model.preset or config.model.options)
            and dict(found) != dataclasses.asdict(network_config)
        ):
            raise InputError(
                f"model.start = {config.model.start} has other settings than model.preset and model.options",
                "Leave both empty: the weights bring their own.",
            )
        return module.train().requires_grad_(True)
    built = spec.build(network_config)
    assert isinstance(built, nn.Module)
    return built
