"""Several processes, GPUs or machines, by PyTorch's own means: ``torchrun`` starts them, DistributedDataParallel averages.

The examples of a step are dealt out to the processes in turn, so that the same batch gives the same step whatever their number.

Words are told through the key-value store that the processes meet at, not by a collective: gloo's threads give a tensor that Python
made back to Python, and where that is the last one, Python may be ending already, which aborts the process (seen once in ten
ends). DistributedDataParallel's own collectives know no Python.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch
from torch import distributed
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from engine.core.errors import InputError
from engine.training.config import TrainConfig

KEPT_WORDS = 16  # a process is never more than a step behind


class Words:
    """What the first process says to the others, in order."""

    def __init__(self, store: Store, rank: int) -> None:
        self._store, self._rank, self._number = PrefixStore("words", store), rank, 0

    def agree(self, word: str) -> str:
        """Return the word of the first process, in all of them."""
        self._number += 1
        if self._rank == 0:
            self._store.set(str(self._number), word)
            self._store.delete_key(str(self._number - KEPT_WORDS))
            return word
        return self._store.get(str(self._number)).decode()


@contextlib.contextmanager
def processes(config: TrainConfig) -> Iterator[tuple[int, int, Words | None]]:
    """Join the other processes that ``torchrun`` started; yield (rank, their number, their words), (0, 1, None) without it.

    Raises
    ------
    InputError
        The batch cannot be dealt out evenly.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield 0, 1, None
        return
    if config.optimiser.batch % world:
        raise InputError(
            f"optimiser.batch = {config.optimiser.batch} cannot be dealt out to {world} processes evenly",
            f"Choose a multiple of {world}.",
        )
    store, rank, world = next(rendezvous("env://"))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, store=PrefixStore(backend, store), rank=rank, world_size=world)
    try:
        yield rank, world, Words(store, rank)
    finally:
        distributed.destroy_process_group()


def device_name(configured: str) -> str:
    """Return the device of this process: each process on a machine takes a GPU of its own."""
    local = os.environ.get("LOCAL_RANK")
    if local is not None and configured in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{local}"
    return configured
