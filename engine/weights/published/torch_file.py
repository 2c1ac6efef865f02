"""Reading checkpoints of PyTorch without running code that may be in them.

A ``.pt``, ``.pth`` or ``.ckpt`` file is a pickle, which may name functions to call. Only tensors and plain containers are read
from it; one that holds anything else is refused. ``.safetensors`` files hold nothing but tensors.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import FormatError

# Where training frameworks keep the network's state inside a checkpoint.
SECTIONS = ("state_dict", "model_state_dict", "model")
# How PyTorch's restricted reader says that a pickle names a function or a class which it does not call.
CODE = re.compile(r"GLOBAL (?P<name>[A-Za-z_][\w.]*)")


def read_state(path: Path, sections: Iterable[str] = SECTIONS) -> dict[str, NDArray[Any]]:
    """Return the tensors of a network by its authors' names; floating-point ones as float32.

    Parameters
    ----------
    path
        ``.safetensors``, or a file written by ``torch.save``: a state dict, or a checkpoint that holds one.
    sections
        Names under which a checkpoint may keep the state dict; the first that is there counts.

    Raises
    ------
    FormatError
        The file is missing or damaged, holds more than tensors and plain values, or no tensors at all.
    """
    return _tensors(_read(path), path.name, sections)


def read_sections(path: Path, *names: str) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the tensors of those sections of a checkpoint that are there, as of :func:`read_state`.

    For checkpoints that hold several networks side by side. A file that is one state dict counts as the first section.

    Raises
    ------
    FormatError
        As of :func:`read_state`.
    """
    value = _read(path)
    found = {name: value[name] for name in names if isinstance(value, Mapping) and isinstance(value.get(name), Mapping)}
    if names[0] not in found:
        return {names[0]: _tensors(value, path.name, SECTIONS)}
    return {name: _tensors(section, path.name, ()) for name, section in found.items()}


def _read(path: Path) -> Any:
    if not path.is_file():
        raise FormatError(f"{path.name} is not there (expected a checkpoint file)", "Check the path.")
    return _read_safetensors(path) if path.suffix == ".safetensors" else _load(path)


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{path.name} is not an undamaged safetensors file ({error})", "Get the file again.") from error


def _load(path: Path) -> Any:
    """Unpickle with PyTorch's restricted reader."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old or new pickle protocols: the file is read, or it is not
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = CODE.search(str(error))
        if named is None:
            raise _damaged(path, error) from error
        raise FormatError(
            f"{path.name} holds more than tensors (expected a state dict / found a pickle that names code: {named['name']})",
            "Have its authors' program save only the state dict, or a .safetensors file; this program runs no code from files.",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        # The restricted reader meets damaged or foreign bytes with whatever exception they lead to.
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> FormatError:
    """Return the error for bytes that PyTorch cannot have written like this, saying what else they look like."""
    with path.open("rb") as file:
        start = file.read(2)
    if start[:1] == b"\x80" and start[1:] > b"\x02":  # torch.save writes protocol 2
        return FormatError(
            f"{path.name} is a pickle that PyTorch did not write (expected a file of torch.save / found protocol {start[1]})",
            "Save the network's state dict with torch.save, or as a .safetensors file.",
        )
    return FormatError(
        f"{path.name} is not an undamaged PyTorch checkpoint ({_reason(error)})",
        "Check that this is the file, and get it again; it may have been cut short.",
    )


def _reason(error: Exception) -> str:
    """Return the first line of an error's text that says something; much of PyTorch's is advice that does not hold here."""
    if not isinstance(error, RuntimeError | OSError):
        return "its first bytes are those of another format, or it is cut short"
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text if len(text) <= 160 else text[:157] + "..."


def _tensors(value: Any, name: str, sections: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Return the tensors of a state dict, or of the one inside a checkpoint."""
    import torch

    for section in sections:
        if isinstance(value, Mapping) and isinstance(value.get(section), Mapping):
            value = value[section]
            break
    found = value if isinstance(value, Mapping) else {}
    result: dict[str, NDArray[Any]] = {}
    for key, tensor in found.items():
        if isinstance(key, str) and isinstance(tensor, torch.Tensor):
            if tensor.layout is not torch.strided or tensor.is_meta or tensor.is_quantized:
                raise FormatError(
                    f"{key} in {name} is no plain array of numbers (expected a dense tensor with values / found {_kind(tensor)})",
                    "Have its authors' program save the network's state with dense tensors of floating-point numbers.",
                )
            plain = tensor.detach()
            if plain.is_floating_point():
                plain = plain.to(torch.float32)
            elif plain.is_complex():
                plain = plain.to(torch.complex64).resolve_conj()
            result[key] = np.ascontiguousarray(plain.resolve_neg().numpy()).reshape(tuple(tensor.shape))
    if not result:
        raise FormatError(
            f"{name} holds no network (expected tensors by name / found {type(value).__name__})",
            "Choose the checkpoint itself, not the optimiser's state or a list of files.",
        )
    return result


def _kind(tensor: Any) -> str:
    return (
        "no values" if tensor.is_meta else "a quantised one" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
    )


def without_prefix(state: Mapping[str, NDArray[Any]], *prefixes: str) -> dict[str, NDArray[Any]]:
    """Return the state with the first of the prefixes that all keys have taken away ("module.", "model."), if there is one."""
    for prefix in prefixes:
        if state and all(key.startswith(prefix) for key in state):
            return {key[len(prefix) :]: value for key, value in state.items()}
    return dict(state)


def turned(kernel: NDArray[Any]) -> NDArray[Any]:
    """Return a convolution kernel with its last two axes exchanged.

    For networks trained with phase encoding along the last axis (DIRECT, fastMRI and what is built on them): here it is the one
    before. Kernels of 1 x 1, vectors and scalars stay as they are.
    """
    return np.ascontiguousarray(kernel.swapaxes(-1, -2)) if kernel.ndim >= 4 else kernel
