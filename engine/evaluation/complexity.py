"""Multiply-accumulate counts of networks, at the size and by the way of counting that their papers use."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from engine.evaluation.dry_run import Problem, run, without_memory
from engine.models.contract import MacRule, ModelSpec
from engine.models.parts.forms import plain_forms


def shape_of(spec: ModelSpec) -> tuple[int, int, int, int] | None:
    """Return (frame, coil, y, x) of the shape that a spec names, None when it names none."""
    match = re.fullmatch(r"(\d+)x(\d+)x(\d+)x(\d+)", spec.macs_shape)
    if match is None:
        return None
    frames, coils, height, width = (int(number) for number in match.groups())
    return frames, coils, height, width


def macs(spec: ModelSpec, config: Any, shape: tuple[int, int, int, int] | None = None) -> float | None:
    """Return the multiply-accumulates of one forward pass.

    Every convolution and every dense layer is seen as it is called, at its own size, in the plain form of the network: padding,
    strides and whatever is done once for each frame or coil count as they are. Products of two activations, biases and submodules
    count as the spec's :class:`engine.models.contract.MacRule` says. Activations, norms, FFTs, decompositions and the physics do
    not count.

    Parameters
    ----------
    spec, config
        The network and its settings.
    shape
        (frame, coil, y, x); None takes the one that the spec names.

    Returns
    -------
    float or None
        None when there is no shape, or nothing that has weights.
    """
    sizes = shape or shape_of(spec)
    if sizes is None:
        return None
    sizes = (spec.frames_of(config) or sizes[0], *sizes[1:])
    counter = _Counter(spec.macs_rule)
    with plain_forms(), without_memory(counter.watch):
        method = spec.build(config)
        if not isinstance(method, nn.Module):
            return None
        counter.attach(method.eval())
        run(spec, method, Problem(*sizes))
    return counter.total


class _Counter:
    """Adds up the operations that it watches; ``attach`` tells it in which modules they happen."""

    def __init__(self, rule: MacRule) -> None:
        self.total = 0.0
        self._rule = rule
        self._left_out = 0
        self._dense = 0
        aten = torch.ops.aten
        self._ways: dict[Any, Callable[[tuple[Any, ...], Tensor], float]] = {
            aten.convolution.default: self._convolution,
            aten.mkldnn_convolution.default: self._convolution,
            aten.mm.default: lambda args, out: self._product(out, args[0].shape[-1], False),
            aten.bmm.default: lambda args, out: self._product(out, args[0].shape[-1], False),
            aten.addmm.default: lambda args, out: self._product(out, args[1].shape[-1], True),
            aten.baddbmm.default: lambda args, out: self._product(out, args[1].shape[-1], True),
        }

        if rule.elementwise:
            names = ("native_batch_norm", "leaky_relu", "leaky_relu_", "_prelu_kernel", "avg_pool2d", "avg_pool3d")
            self._ways |= {getattr(aten, name).default: self._elements for name in names}

    @staticmethod
    def _elements(args: tuple[Any, ...], out: Any) -> float:
        del out
        return float(args[0].numel())

    def attach(self, network: nn.Module) -> None:
        """Follow which layers of a network are at work."""
        for name, module in network.named_modules():
            if name in self._rule.without:
                module.register_forward_pre_hook(lambda *_: self._enter("_left_out", 1))
                module.register_forward_hook(lambda *_: self._enter("_left_out", -1))
            if isinstance(module, nn.Linear):
                module.register_forward_pre_hook(lambda *_: self._enter("_dense", 1))
                module.register_forward_hook(lambda *_: self._enter("_dense", -1))

    def _enter(self, what: str, change: int) -> None:
        setattr(self, what, getattr(self, what) + change)

    def watch(self, operation: Any, args: tuple[Any, ...], result: Any) -> None:
        """Count one operation."""
        way = self._ways.get(operation)
        if way is not None and not self._left_out and not args[0].is_complex():
            self.total += way(args, result)

    def _convolution(self, args: tuple[Any, ...], out: Tensor) -> float:
        features, weight, bias = args[:3]
        kernel = prod(weight.shape[1:])
        transposed = len(args) > 7 and bool(args[6])
        if not transposed:
            count = out.numel() * kernel
        elif self._rule.transposed_by_output:
            count = out.numel() // out.shape[1] * weight.numel()
        else:
            count = features.numel() * kernel
        return float(count + (out.numel() if self._rule.bias and bias is not None else 0))

    def _product(self, out: Tensor, inner: int, biased: bool) -> float:
        if not self._dense and not self._rule.matmul:
            return 0.0
        return float(out.numel() * (inner + (1 if self._rule.bias and biased else 0)))
