"""A method run on arrays that have shapes but no values: every operation is seen, nothing is computed, no memory is taken.

This is how multiply-accumulates are counted and memory is foretold at full size within a second or two, for a network of hundreds
of millions of parameters as well.
"""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from engine.core.axes import COIL, KY
from engine.models.contract import Method, ModelSpec, ReconInput
from engine.physics.operator import SenseOperator
from engine.sampling.acs import centre_lines

Watch = Callable[[Any, tuple[Any, ...], Any], None]

ACCELERATION, ACS = 4, 24


@dataclass(frozen=True, slots=True)
class Problem:
    """The shape of one slice and how it was sampled.

    Parameters
    ----------
    frames, coils, height, width
        Sizes.
    mask
        Bool (frame or 1, ky, kx or 1) with its values, or None for every fourth line and 24 in the centre, alike in all frames.
    """

    frames: int
    coils: int
    height: int
    width: int
    mask: Tensor | None = None

    def lines(self) -> Tensor:
        """Return the mask, bool (frame or 1, ky, kx or 1)."""
        if self.mask is not None:
            return self.mask
        lines = torch.zeros((1, self.height, 1), dtype=torch.bool)
        lines[:, ::ACCELERATION] = True
        lines[:, centre_lines(self.height, min(ACS, self.height))] = True
        return lines


class Unforeseeable(Exception):
    """A step of a method cannot be told without the values of the data."""


@contextlib.contextmanager
def without_memory(watch: Watch) -> Iterator[None]:
    """Let all tensors made inside the block have no memory; ``watch(operation, args, result)`` sees every operation.

    Tensors that were made before keep their values, and so does what is computed from them alone.

    Raises
    ------
    Unforeseeable
        When a shape depends on a value.
    """
    from torch._subclasses.fake_tensor import (
        DataDependentOutputException,
        DynamicOutputShapeException,
        FakeTensorMode,
        UnsupportedOperatorException,
    )

    try:
        with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), _Oracle(watch):
            yield
    except (DataDependentOutputException, DynamicOutputShapeException, UnsupportedOperatorException) as error:
        raise Unforeseeable(f"a step depends on values: {error}") from error


def run(spec: ModelSpec, method: Method, problem: Problem) -> Tensor:
    """Run a method without its physics inside :func:`without_memory`; return the image without values, complex (1, frame, y, x)."""
    sizes = (problem.coils, problem.height, problem.width)
    kspace, maps = (torch.empty((frames, *sizes), dtype=torch.complex64) for frames in (problem.frames, 1))
    return method(make_data(spec, kspace, maps, problem.lines(), _NoPhysics))


def rehearsed(config: Any) -> Any:
    """Return the settings of a method with one iteration, where they have a number of them: the others take no more memory."""
    return dataclasses.replace(config, iterations=1) if hasattr(config, "iterations") else config


class _NoPhysics(SenseOperator):
    """The operator of a dry run that watches the network only: it returns arrays of the right shape."""

    def _forward(self, image: Tensor) -> Tensor:
        return image.new_empty((*image.shape[:2], *self.maps.shape[COIL:]))

    def _adjoint(self, kspace: Tensor) -> Tensor:
        return kspace.new_empty((*kspace.shape[:2], *self.maps.shape[KY:]))

    def _normal(self, image: Tensor) -> Tensor:
        return torch.empty_like(image)

    def _make_gram(self, check: Callable[[], None] | None) -> None:
        del check

    def solve(self, rhs: Tensor, *_: Any, **__: Any) -> Tensor:
        """Return an image."""
        return torch.empty_like(rhs)


def make_data(
    spec: ModelSpec, kspace: Tensor, maps: Tensor, lines: Tensor, physics: type[SenseOperator] = SenseOperator
) -> ReconInput:
    """Return what a method gets, from k-space (frame, coil, ky, kx), maps (1, coil, y, x), and the mask's own values."""
    frames, device = kspace.shape[0], kspace.device
    image = (1, frames, *kspace.shape[2:])
    return ReconInput(
        kspace=kspace[None],
        operator=physics(lines[None, :, None], maps[None]),
        times_ms=torch.empty((1, frames), device=device),
        reference=torch.empty(image, dtype=torch.complex64, device=device) if spec.needs_reference else None,
        acs=min(ACS, kspace.shape[KY]),
        rehearsal=True,
    )


class _Oracle(TorchDispatchMode):
    """Shows every operation to ``watch``, and answers questions about values that nobody has.

    Sums, norms and other numbers are 1; a condition holds everywhere, so that nothing is left out; an error is nowhere; and as long
    as something is asked to be greater than something else, it is: iterations run to their last.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in torch
        self._watch = watch
        self._shapes = _Shapes()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.prim.device.default:
            return args[0].fake_device if hasattr(args[0], "fake_device") else func(*args)
        result = self._answer(func, args, kwargs)
        self._watch(func, args, result)
        return result

    def _answer(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily

        tensors = [leaf for leaf in pytree.tree_leaves((args, dict(kwargs))) if isinstance(leaf, Tensor)]
        if tensors and not any(isinstance(leaf, FakeTensor) for leaf in tensors):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        aten = torch.ops.aten
        if func is aten._local_scalar_dense.default:
            return True if args[0].dtype == torch.bool else (args[0].dtype.is_floating_point and 1.0) or 1
        if func in (aten.all.default, aten.any.default):
            with unset_fake_temporarily():
                return torch.tensor(func is aten.all.default or getattr(args[0], "goes_on", False))
        if func is aten.mkldnn_convolution.default:
            return _convolution(*args, **kwargs)
        if func is aten.nonzero.default:
            return args[0].new_empty((args[0].numel(), args[0].ndim), dtype=torch.long)
        if func is aten.index.Tensor:
            args = (args[0], [place for index in args[1] for place in _places(index)])
        result = self._shapes.result(func, args, kwargs)
        if func in (aten.gt.Tensor, aten.gt.Scalar):
            result.goes_on = True
        return result


class _Shapes:
    """Remembers what shape an operation gives for what shapes: torch finds it out anew each time, which is most of the time."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Any, ...]] = {}
        self._kinds: dict[Any, str] = {}

    def result(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Return the result of an operation, without values."""
        kind = self._kinds.get(func)
        if kind is None:
            kind = self._kinds[func] = _kind(func)
        if kind == "view" and hasattr(args[0], "fake_mode"):
            return _view(func, args, kwargs)
        key = (func, _key(args), _key(tuple(kwargs.items()))) if kind == "new" else None
        try:
            known = self._known.get(key) if key is not None else None
        except TypeError:  # an argument that cannot be a key
            key = known = None
        if known is None:
            with warnings.catch_warnings():
                # A real tensor that is learned through others is looked at for a gradient it cannot have.
                warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")
                result = func(*args, **kwargs)
            if key is not None:
                made = (result.fake_mode, result.fake_device, tuple(result.shape), result.stride(), result.dtype)
                self._known[key] = made
            return result
        return _made(*known)


def _kind(func: Any) -> str:
    """Return "new" for an operation that gives one new tensor, "view" for one that gives a view of its first, "" for others."""
    schema = func._schema
    aliases = [one.alias_info for one in (*schema.arguments, *schema.returns) if one.alias_info is not None]
    if len(schema.returns) != 1 or str(schema.returns[0].type) != "Tensor" or any(alias.is_write for alias in aliases):
        return ""
    return "view" if aliases else "new"


def _view(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
    from torch._subclasses.fake_tensor import FakeTensor, in_kernel_invocation_manager

    source: Any = args[0]
    with in_kernel_invocation_manager(source.fake_mode):
        seen = func(*args, **kwargs)
    made: Tensor = FakeTensor(source.fake_mode, seen, source.fake_device)
    return made


def _made(mode: Any, device: torch.device, shape: tuple[int, ...], stride: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily

    with unset_fake_temporarily():
        plain = torch.empty_strided(shape, stride, dtype=dtype, device="meta")
        made: Tensor = FakeTensor(mode, plain, device)
    return made


def _key(values: Any) -> Any:
    """Return what the result of an operation depends on: shapes, types and the other arguments."""
    if isinstance(values, Tensor):
        return (values.shape, values.stride(), values.dtype, getattr(values, "fake_device", None), values.is_conj())
    if isinstance(values, (tuple, list)):
        return tuple(_key(value) for value in values)
    return values


def _places(index: Tensor | None) -> list[Tensor | None]:
    """Return whole numbers for a mask, one tensor for each of its axes; other indices as they are."""
    from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily

    if index is None or index.dtype != torch.bool:
        return [index]
    if isinstance(index, FakeTensor):
        return [index.new_empty(index.numel(), dtype=torch.long) for _ in range(index.ndim)]
    with unset_fake_temporarily():
        return list(index.nonzero(as_tuple=True))


def _convolution(
    features: Tensor, weight: Tensor, bias: Tensor | None, padding: Any, stride: Any, dilation: Any, groups: int
) -> Tensor:
    """Return what the CPU's own convolution returns, which has no form without values."""
    out: Tensor = torch.ops.aten.convolution.default(
        features, weight, bias, stride, padding, dilation, False, [0] * len(stride), groups
    )
    return out.contiguous(memory_format=torch.channels_last_3d if out.ndim == 5 else torch.channels_last)
