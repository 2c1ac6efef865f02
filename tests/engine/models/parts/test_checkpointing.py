"""Recomputation: the same gradients, less kept, and none of it where it does not pay."""

from __future__ import annotations

from functools import partial

import torch

from engine.models.parts import forms
from engine.models.parts.checkpointing import WORTH_BYTES, recomputed, recomputing


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


def test_the_second_computation_is_of_the_form_of_the_first():
    seen = []
    weight = torch.tensor(1.0, requires_grad=True)

    def noting():
        seen.append(forms.plain())
        return torch.tanh(weight)

    with forms.plain_forms():
        result = recomputed(noting, 2 * WORTH_BYTES)
    result.backward()
    assert seen == [True, True]


def test_it_can_be_switched_on_and_off():
    weight = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    x = torch.linspace(-1, 1, 50, dtype=torch.float64)
    sizes = []
    for wanted, kept in ((True, 0), (False, 2 * WORTH_BYTES), (None, 0), (None, 2 * WORTH_BYTES)):
        if wanted is None:
            sizes.append(saved_bytes(lambda kept=kept: recomputed(partial(step, weight, x), kept))[1])
        else:
            with recomputing(wanted):
                sizes.append(saved_bytes(lambda kept=kept: recomputed(partial(step, weight, x), kept))[1])
    on, off, small, large = sizes
    assert on == large < off / 4
    assert off == small
