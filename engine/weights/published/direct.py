"""Checkpoints of DIRECT (Apache-2.0): one source, several networks, told apart by the names of their tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.core.errors import CheckpointMismatch
from engine.weights.published.contract import PUBLISHED, Importer, Published
from engine.weights.published.direct_recurrent import is_recurrent, recurrent_varnet, sensitivity_unet
from engine.weights.published.direct_unets import e2e_varnet, is_e2e, is_vsharp, vsharp
from engine.weights.published.torch_file import read_sections, without_prefix

URL = "https://github.com/NKI-AI/direct"
MODEL, SENSITIVITY = "model", "sensitivity_model"

# What a file of tensors does not tell, and would be wrong without a word.
DILATED = "Taken to have an initialiser with dilations 1, 1, 2, 4: a set trained with others gives poor images."

State = dict[str, NDArray[Any]]
Config = dict[str, Any]


def read(path: Path) -> Published:
    """Read a checkpoint of DIRECT (``model_*.pt``), or a state dict in safetensors with DIRECT's names.

    Where the checkpoint holds a coil-map network, it is imported as part of the network, which then finds its own maps.

    Raises
    ------
    FormatError
        When the file is damaged, or holds more than tensors and plain values.
    CheckpointMismatch
        When it is none of the networks, or names or shapes are not exactly those of the one that it looks like.
    """
    sections = {name: without_prefix(state, "module.") for name, state in read_sections(path, MODEL, SENSITIVITY).items()}
    state = sections[MODEL]
    for recognises, reader in READERS:
        if recognises(state):
            return reader(state, sections.get(SENSITIVITY), path)
    raise CheckpointMismatch(
        f"{path.name} is no network of DIRECT that is known here (expected one of {', '.join(NETWORKS)} / found "
        f"{', '.join(sorted(state)[:3])})",
        "Other programs have other sources: `myoscope weights sources`.",
    )


def _recurrent(state: State, sensitivity: State | None, path: Path) -> Published:
    tensors, config, channels = recurrent_varnet(state, path.name)
    if channels != 2:
        raise CheckpointMismatch(
            f"{path.name} takes {channels} channels (expected 2, one complex image)",
            "Frames as channels are the networks of source relax-qmri.",
        )
    tensors, config = _with_maps(tensors, config, sensitivity, path)
    return Published(tensors, config, path.stem, card(path, DILATED), "recurrent_varnet")


def _with_maps(tensors: State, config: Config, sensitivity: State | None, path: Path) -> tuple[State, Config]:
    """Return tensors and settings with those of the coil-map network, if there is one."""
    if sensitivity is None:
        return tensors, config
    maps, filters = sensitivity_unet(sensitivity, path.name)
    return tensors | maps, config | {"maps": "network", "maps_filters": filters}


def _e2e(state: State, sensitivity: State | None, path: Path) -> Published:
    inner = {key: value for key, value in state.items() if not key.startswith(f"{SENSITIVITY}.")}
    beside = {key.removeprefix(f"{SENSITIVITY}."): value for key, value in state.items() if key not in inner}
    tensors, config = e2e_varnet(inner, sensitivity or beside or None, path.name)
    return Published(tensors, config, path.stem, card(path), "e2e_varnet")


def _vsharp(state: State, sensitivity: State | None, path: Path) -> Published:
    tensors, config = vsharp(state, path.name)
    tensors, config = _with_maps(tensors, config, sensitivity, path)
    return Published(tensors, config, path.stem, card(path, DILATED), "vsharp")


def card(path: Path, *failures: str) -> dict[str, Any]:
    """Return what the model card of a DIRECT checkpoint says of itself."""
    about = {"source": f"{URL}, {path.name}", "coils": "multi-coil", "normalisation": "kspace_p99_all"}
    return about | {"known_failures": failures} if failures else about


Reader = Callable[[State, State | None, Path], Published]

NETWORKS = ("recurrent_varnet", "e2e_varnet", "vsharp")
READERS: tuple[tuple[Callable[[State], bool], Reader], ...] = ((is_recurrent, _recurrent), (is_e2e, _e2e), (is_vsharp, _vsharp))

PUBLISHED.register(
    "direct",
    Importer(
        name="direct",
        title="DIRECT's PyTorch checkpoints",
        networks=NETWORKS,
        licence="Apache-2.0",
        url=URL,
        read=read,
    ),
)
