"""The one state of a run, and its checkpoints: a single safetensors file, written to a temporary name and renamed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from engine.core.errors import CheckpointMismatch, FormatError, OutputError
from engine.core.files import replacing
from engine.core.records.events import Validation, as_table, from_table
from engine.datasets.examples import Example, Stream
from engine.models.contract import ModelSpec
from engine.training.config import TrainConfig, to_values
from engine.training.distributed import Words

LAST, BEST = "last.safetensors", "best.safetensors"
METADATA = "myoscope-run"


@dataclass(eq=False)
class State:
    """Everything a run needs to go on.

    ``step`` counts finished optimiser steps; ``ema`` the moving average of the weights (None without); ``best`` the best validation
    score so far and ``best_step`` its step; ``waited`` validations since then; ``history`` all validations;
    ``spent_seconds`` of all sessions; ``ended`` why it came to its end, "" before; ``mapping`` the frozen mapping network that
    terms of the loss ask; ``scaler`` what keeps gradients in float16's range; ``parallel`` the network wrapped for several
    processes, and ``words`` what the first of them says.
    """

    config: TrainConfig
    spec: ModelSpec
    network_config: Any
    module: nn.Module
    optimiser: torch.optim.Optimizer
    stream: Stream
    validation: list[Example]
    device: torch.device
    folder: Path
    ema: dict[str, Tensor] | None = None
    step: int = 0
    best: float | None = None
    best_step: int = 0
    waited: int = 0
    history: list[Validation] = field(default_factory=list)
    spent_seconds: float = 0.0
    ended: str = ""
    mapping: nn.Module | None = None
    scaler: torch.amp.GradScaler | None = None
    rank: int = 0
    world: int = 1
    parallel: DistributedDataParallel | None = None
    words: Words | None = None

    @property
    def runner(self) -> nn.Module:
        """What is called: the network, or the network wrapped for several processes."""
        return self.parallel or self.module

    def agree(self, word: str) -> str:
        """Return the word of the first process, in all of them: they stop at the same step."""
        return word if self.words is None else self.words.agree(word)

    def weights(self) -> dict[str, Tensor]:
        """Return the weights that are validated and kept: the moving average where there is one."""
        current = {name: value.detach() for name, value in self.module.state_dict().items()}
        return {**current, **self.ema} if self.ema is not None else current


def save_checkpoint(state: State, name: str = LAST) -> Path:
    """Write all that resuming needs; a kill at any moment leaves the old file or the new one.

    Raises
    ------
    OutputError
        The disk is full, or the folder is gone.
    """
    tensors = {f"model.{key}": value for key, value in state.module.state_dict().items()}
    tensors |= {f"ema.{key}": value for key, value in (state.ema or {}).items()}
    names = {id(parameter): key for key, parameter in state.module.named_parameters()}
    for group in state.optimiser.param_groups:
        for parameter in group["params"]:
            for key, value in state.optimiser.state.get(parameter, {}).items():
                tensors[f"optimiser.{key}.{names[id(parameter)]}"] = value if isinstance(value, Tensor) else torch.tensor(value)
    about = {
        "config": to_values(state.config),
        "step": state.step,
        "best": state.best,
        "best_step": state.best_step,
        "waited": state.waited,
        "history": [as_table(told) for told in state.history],
        "spent_seconds": state.spent_seconds,
        "ended": state.ended,
        "scaler": None if state.scaler is None else state.scaler.state_dict(),
    }
    return _write(state.folder / name, tensors, about)


def save_best(state: State) -> Path:
    """Write the weights that scored best, with the score."""
    about = {"network": state.spec.name, "step": state.step, "score": state.best}
    return _write(state.folder / BEST, state.weights(), about)


def _write(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> Path:
    # Cloned: safetensors refuses tensors that share memory, and moving averages may start as views.
    plain = {key: value.detach().to("cpu").contiguous().clone() for key, value in tensors.items()}
    try:
        with replacing(path) as temporary:
            save_file(plain, temporary, metadata={METADATA: json.dumps(about)})
    except SafetensorError as error:  # the library's own word for a failed write
        raise OutputError(f"cannot write {path} ({error})", "Free some space; the last checkpoint is still there.") from error
    return path


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and notes of a checkpoint.

    Raises
    ------
    FormatError
        There is none, or it is damaged.
    """
    with _opened(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 not a mapping
    return tensors, read_notes(path)


def read_notes(path: Path) -> dict[str, Any]:
    """Return the notes of a checkpoint alone; errors as in :func:`read_checkpoint`."""
    with _opened(path) as file:
        about = json.loads((file.metadata() or {}).get(METADATA, "null"))
    if not isinstance(about, dict):
        raise FormatError(f"{path.name} is not a checkpoint of a training run", "Resume from a run's folder.")
    return about


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise FormatError(f"there is no checkpoint {path}", "The run was stopped before its first checkpoint; start it again.")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, ValueError) as error:
        raise FormatError(f"{path.name} is damaged ({error})", "Resume from another run.") from error


def validations(about: Mapping[str, Any]) -> tuple[Validation, ...]:
    """Return the validations that the notes of a checkpoint hold."""
    told = (from_table({"event": Validation.event, **entry}) for entry in about["history"])
    return tuple(one for one in told if isinstance(one, Validation))


def restore(state: State, path: Path) -> None:
    """Put a checkpoint into a state that was set up from the same configuration.

    Raises
    ------
    CheckpointMismatch
        It belongs to another network or other settings.
    """
    tensors, about = read_checkpoint(path)
    model = {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
    try:
        state.module.load_state_dict(model)
    except RuntimeError as error:
        raise CheckpointMismatch(
            f"{path} does not fit the network of this run ({error})", "Resume with its own settings."
        ) from error
    if state.ema is not None:
        # A run whose moving average was switched on later begins it at the weights.
        state.ema = {key: tensors.get(f"ema.{key}", model[key]).to(state.device) for key in state.ema}
    _restore_optimiser(state, tensors)
    state.step, state.best, state.best_step = about["step"], about["best"], about["best_step"]
    state.waited, state.history, state.spent_seconds = about["waited"], list(validations(about)), about["spent_seconds"]
    if state.scaler is not None and about.get("scaler"):
        state.scaler.load_state_dict(about["scaler"])


def _restore_optimiser(state: State, tensors: Mapping[str, Tensor]) -> None:
    kept: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, moment, name = key.split(".", 2)
            kept.setdefault(name, {})[moment] = value
    trained = {id(parameter) for group in state.optimiser.param_groups for parameter in group["params"]}
    for name, parameter in state.module.named_parameters():
        if id(parameter) in trained and name in kept:
            state.optimiser.state[parameter] = {
                moment: value if moment == "step" else value.to(parameter.device) for moment, value in kept[name].items()
            }
