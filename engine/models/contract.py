"""What a reconstruction method is: one input record, one call, one spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.core.jobs import Reporter, silent
from engine.core.registry import Registry
from engine.physics.operator import SenseOperator

KINDS = ("cine", "molli", "t2prep")


class StageSink(Protocol):
    """Receives what a cascade produced: ``sink(stage index, part name, tensor)``. ``"image"`` is the cascade's image."""

    def __call__(self, index: int, part: str, value: Tensor) -> None:
        """Take one part of one stage."""


def no_stages(index: int, part: str, value: Tensor) -> None:
    """Ignore a stage."""


@dataclass(frozen=True, slots=True, eq=False)
class ReconInput:
    """All that a method may use, on one device.

    Parameters
    ----------
    kspace
        Measured samples, zero elsewhere, scaled for networks, complex64 (batch, frame, coil, ky, kx).
    operator
        The SENSE operator of the same data: mask, maps, FFTs, Gram matrices (:class:`engine.physics.operator.SenseOperator`).
    times_ms
        (batch, frame) or None.
    reference
        Second sequence for methods that need one, complex64 (batch, frame, y, x), or None.
    acs
        Number of lines in the centre of ky that every frame samples, for networks that find their own coil maps; None when there
        are none or it is not known.
    first
        Image to begin with in place of the zero-filled one, complex64 (batch, frame, y, x), or None
        (:mod:`engine.models.parts.start`).
    rehearsal
        Whether nobody wants the values (memory and multiplications are being told): what only repeats may be done once.
    report
        Progress and cancellation.
    stages
        Where unrolled networks leave each cascade's image and parts.
    """

    kspace: Tensor
    operator: SenseOperator
    times_ms: Tensor | None = None
    reference: Tensor | None = None
    acs: int | None = None
    first: Tensor | None = None
    rehearsal: bool = False
    report: Reporter = field(default_factory=silent)
    stages: StageSink = no_stages


class Method(Protocol):
    """A built method: an ``nn.Module`` or a plain callable."""

    def __call__(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x)."""


@dataclass(frozen=True, slots=True)
class MacRule:
    """What a paper's figure counts beside the products in convolutions and dense layers; the default is nothing more.

    Parameters
    ----------
    bias
        One more for each output of a layer that has a bias, as ptflops counts.
    matmul
        Products of two activations, as in attention.
    transposed_by_output
        The whole kernel of a transposed convolution at each of its outputs instead of its inputs: ptflops's over-count.
    elementwise
        One for each value that a norm, a leaky or parametric ReLU or a pooling takes, as ptflops counts where these are layers.
    without
        Submodules, as in ``named_modules``, that the figure leaves out, with all inside them.
    """

    bias: bool = False
    matmul: bool = False
    transposed_by_output: bool = False
    elementwise: bool = False
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A method as the registry knows it.

    Parameters
    ----------
    name, title, paper
        Registry name, name on screen, where it comes from.
    config
        Frozen dataclass of its settings; every field has a default and ``metadata={"help": ...}``.
    build
        ``build(config)`` gives the method (an ``nn.Module`` when trainable).
    presets
        Name -> settings; the first is the default.
    kinds
        Series kinds it serves.
    trainable
        Whether it has weights, without which it must not be run.
    paper_macs, macs_shape
        The paper's own figure of multiply-accumulates for the default preset, and the shape it holds for and at which all presets
        are counted: ``"12x10x128x128"`` is frame, coil, y, x.
    macs_counting, macs_rule
        How the paper counts, as a sentence, and the same for :func:`engine.evaluation.complexity.macs`.
    frames
        ``frames(config)`` is the number of frames a network is built for, where they are its channels; None, or None from it, where
        any will do.
    needs_reference
        Whether it needs a second sequence.
    max_coils
        1 for methods that work on coil-combined single-coil data only, else None.
    map_sets
        How many sets of coil maps it can use: 2 for what treats the images of a batch alike and leaves the data to the operator
        (:mod:`engine.physics.soft_sense`), else 1.
    normalise
        How k-space is scaled before the method sees it: a name in :mod:`engine.physics.scaling`.
    notes
        Deviations and limits, in sentences.
    """

    name: str
    title: str
    paper: str
    config: type[Any]
    build: Callable[[Any], Method]
    presets: Mapping[str, Any]
    kinds: tuple[str, ...] = KINDS
    trainable: bool = False
    paper_macs: float | None = None
    macs_shape: str = ""
    macs_counting: str = "Convolutions and dense layers, without their bias."
    macs_rule: MacRule = field(default_factory=MacRule)
    frames: Callable[[Any], int | None] | None = None
    needs_reference: bool = False
    max_coils: int | None = None
    map_sets: int = 1
    normalise: str = "zero_filled_p99"
    notes: tuple[str, ...] = ()

    def frames_of(self, config: Any) -> int | None:
        """Return the number of frames that a network with these settings is built for, None where any will do."""
        return None if self.frames is None else self.frames(config)

    def parameters(self, preset: str | None = None) -> int:
        """Return the number of trainable parameters of a preset, without allocating them."""
        if not self.trainable:
            return 0
        chosen = self.presets[preset] if preset else next(iter(self.presets.values()))
        with torch.device("meta"):
            module = self.build(chosen)
        assert isinstance(module, torch.nn.Module)
        return sum(p.numel() for p in module.parameters() if p.requires_grad)


MODELS: Registry[ModelSpec] = Registry("method", "engine.models", "models")
