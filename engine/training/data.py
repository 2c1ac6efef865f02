"""The data of a run: sources opened, subjects split, examples of the validation made; every refusal before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.core.errors import InputError
from engine.core.records.events import Sink, Skipped
from engine.core.requests import OpenOptions
from engine.core.types import Kind
from engine.datasets.acquisition import acquire
from engine.datasets.examples import Example, Stream, make_example
from engine.datasets.sources import Item, Source, open_source
from engine.losses import LOSSES
from engine.models.contract import ModelSpec
from engine.training.checks import wrong_kind
from engine.training.config import SourcePart, TrainConfig


def open_data(config: TrainConfig, spec: ModelSpec, sink: Sink, network_config: Any = None) -> tuple[Stream, list[Example]]:
    """Return the stream of training examples, and the examples of every validation.

    No subject is on both sides. *Exception*: slices of one file that are named apart by ``slices`` and ``leave_out`` may be.

    Raises
    ------
    EngineError
        Nothing to train on or to validate with; data that were never fully sampled in supervised training; series of another kind
        or number of frames than the network is made for.
    """
    frames = None if network_config is None else spec.frames_of(network_config)
    opened = [(part, _open(part, frames)) for part in config.data.sources]
    chosen = [(part, _open(part, frames)) for part in config.data.validation]
    for _, source in (*opened, *chosen):
        for name, reason in source.skipped:
            sink(Skipped(name, reason))
        _check_source(config, spec, source)
    if config.data.mode == "supervised":
        _refuse_shared([source for part, source in opened if part.weight > 0], [source for _, source in chosen])
    subjects: set[str] = set()
    held: list[Item] = [item for _, source in chosen for item in source.items]
    if not held:
        subjects = _held_subjects([source for _, source in opened], config)
        held = [item for _, source in opened for item in source.items if item.subject in subjects]
    if not held:
        held = [item for _, source in opened for item in source.items if source.endless]
    if not held:
        raise InputError(
            "nothing is left for validation (expected several subjects or data.validation / found one subject in data.sources, "
            f"data.validation_share = {config.data.validation_share:g})",
            "Name data.validation, for example other slices of the same file.",
        )
    items, weights = _weighted(opened, subjects)
    stream = Stream(
        items,
        weights,
        config.masks,
        config.data.acquisition,
        config.data.augmentation,
        config.data.columns or None,
        config.data.reuse,
        config.run.seed,
    )
    return stream, validation_examples(config, held)


def _weighted(opened: Sequence[tuple[SourcePart, Source]], without: set[str]) -> tuple[list[Item], list[float]]:
    """Return the items of all sources but those of some subjects, with how often each is drawn."""
    items: list[Item] = []
    weights: list[float] = []
    for part, source in opened:
        kept = [item for item in source.items if item.subject not in without]
        items += kept
        weights += [part.weight / len(kept)] * len(kept)
    if not items or not sum(weights) > 0:
        raise InputError(
            "nothing is left to train on (data.validation_share keeps all subjects, or the weights of data.sources are 0)",
            "Lower data.validation_share, or give a source a weight.",
        )
    return items, weights


def _open(part: SourcePart, frames: int | None) -> Source:
    options = OpenOptions(axes=part.axes or None, kind=part.kind or None)
    return open_source(part.location, part.slices, part.leave_out, options, frames)


def _check_source(config: TrainConfig, spec: ModelSpec, source: Source) -> None:
    if config.data.mode == "supervised" and not source.fully_sampled:
        raise InputError(
            f"{source.name} was never fully sampled, and data.mode = supervised needs the truth",
            'Train with data.mode = "self" and losses.kspace_l1_l2: it learns from the samples there are.',
        )
    asked = [name for name in config.losses if LOSSES.get(name).needs_mapping]
    if asked and Kind.CINE in source.kinds:
        raise InputError(
            f"losses.{asked[0]} holds a series to a signal model of its times; {source.name} of data.sources is a cine",
            "Leave the term out, or train on molli or t2prep.",
        )
    wrong = [kind.value for kind in source.kinds if kind is not Kind.UNKNOWN and kind.value not in spec.kinds]
    if wrong:
        raise wrong_kind(source.name, wrong, spec).error()


def _refuse_shared(trained: Sequence[Source], held: Sequence[Source]) -> None:
    """Raise ``InputError`` when the validation would see what is trained on; new subjects of endless sources never are."""
    one, other = ({(item.subject, item.index) for s in sources if not s.endless for item in s.items} for sources in (trained, held))
    for subject, index in sorted(one & other, key=str):
        what = subject if index is None else f"slice {index} of {subject}"
        raise InputError(
            f"{what} is in data.sources and in data.validation (expected in one of them)",
            "Name them apart with slices and leave_out, or leave data.validation empty: subjects are kept out of training then.",
        )


def _held_subjects(sources: Sequence[Source], config: TrainConfig) -> set[str]:
    subjects = sorted({item.subject for source in sources if not source.endless for item in source.items})
    if len(subjects) < 2 or config.data.validation_share == 0:
        return set()
    count = max(1, round(config.data.validation_share * len(subjects)))
    rng = np.random.default_rng((config.run.seed, 4))
    return set(rng.permutation(subjects)[: min(count, len(subjects) - 1)].tolist())


def validation_examples(config: TrainConfig, items: Sequence[Item]) -> list[Example]:
    """Return the examples of every validation: not augmented, the same from run to run."""
    examples = []
    for n in range(config.data.validation_examples):
        rng = np.random.default_rng((config.run.seed, 5, n))
        item = items[n * max(1, len(items) // config.data.validation_examples) % len(items)]
        scene = acquire(item.draw(rng), config.data.acquisition, None, rng)
        examples.append(make_example(scene, config.validation_masks, config.data.validation_columns or None, rng))
    return examples
