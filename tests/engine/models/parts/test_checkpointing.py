"""Recomputation: the same gradients, less kept, and none of it where it does not pay."""

from __future__ import annotations

from functools import partial

import torch

from engine.models.parts.checkpointing import WORTH_BYTES, recomputed


def saved_bytes(work):
    """Return the result of ``work`` and the bytes that its graph keeps."""
    kept = {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = work()
    return result, sum(kept.values())


def step(weight, x):
    for _ in range(6):
        x = torch.tanh(weight * x)
    return x, x.sum()


def test_gradients_are_the_same_and_less_is_kept():
    results = []
    for kept in (0, 2 * WORTH_BYTES):
        weight = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
        x = torch.linspace(-1, 1, 50, dtype=torch.float64).requires_grad_()
        (y, total), size = saved_bytes(lambda w=weight, x=x, kept=kept: recomputed(partial(step, w, x), kept))
        (y.square().sum() + total).backward()
        results.append((weight.grad, x.grad, size))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert results[1][2] < results[0][2] / 4


def test_it_runs_once_where_nothing_is_kept():
    calls = []
    weight = torch.tensor(1.0, requires_grad=True)

    def once():
        calls.append(1)
        return 2 * weight

    with torch.no_grad():
        recomputed(once, 2 * WORTH_BYTES)
    recomputed(once, 0).backward()
    assert len(calls) == 2
    recomputed(once, 2 * WORTH_BYTES).backward()
    assert len(calls) in (3, 4)  # multiplication by a number keeps nothing, so nothing may ask for it again
