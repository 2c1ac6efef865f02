"""Several processes, GPUs or machines, by PyTorch's own means: ``torchrun`` starts them, DistributedDataParallel averages.

The examples of a step are dealt out to the processes in turn, so that the same batch gives the same step whatever their number.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import distributed

from engine.core.errors import InputError
from engine.training.config import TrainConfig

if TYPE_CHECKING:
    from engine.training.state import State

WORDS = ("", "go", "stop", "discard", "minutes", "steps", "patience")


@contextlib.contextmanager
def processes(config: TrainConfig) -> Iterator[tuple[int, int]]:
    """Join the other processes that ``torchrun`` started; yield (rank, their number), (0, 1) without it.

    Raises
    ------
    InputError
        The batch cannot be dealt out evenly.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield 0, 1
        return
    if config.optimiser.batch % world:
        raise InputError(
            f"optimiser.batch = {config.optimiser.batch} cannot be dealt out to {world} processes evenly",
            f"Choose a multiple of {world}.",
        )
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield distributed.get_rank(), world
    finally:
        distributed.destroy_process_group()


def device_name(configured: str) -> str:
    """Return the device of this process: each process on a machine takes a GPU of its own."""
    local = os.environ.get("LOCAL_RANK")
    if local is not None and configured in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{local}"
    return configured


def agree(state: State, word: str) -> str:
    """Return the word of the first process, in all of them: they stop at the same step."""
    if state.world == 1:
        return word
    code = torch.tensor([WORDS.index(word)], device=state.device)
    distributed.broadcast(code, 0)
    return WORDS[int(code)]
