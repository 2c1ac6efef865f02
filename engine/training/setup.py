"""From a configuration to a state that can be trained: data, network, optimiser; every contradiction is named first."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.core import device as devices
from engine.core.device import MIB
from engine.core.errors import InputError, OutputError
from engine.core.files import check_folder_writable, replacing
from engine.core.records.events import Sink
from engine.models.contract import ModelSpec
from engine.models.parts.mapping import MAPPING
from engine.reconstruction.weights import load
from engine.training.checks import check
from engine.training.config import OptimiserPart, TrainConfig, to_values
from engine.training.data import open_data
from engine.training.distributed import device_name
from engine.training.state import LAST, State, restore

CONFIG = "config.json"
# Checkpoints hold weights, moving average and two moments in single precision; the new one stands beside the old for a moment, and
# the best weights beside both.
COPIES = 2 * 4 + 2
FEW = 4  # a parameter of at most so many values, and no layer's, is step sizes, thresholds or weights of terms
OF_LAYERS = ("weight", "bias")


def set_up(config: TrainConfig, folder: Path, sink: Sink, resume: bool = False, rank: int = 0, world: int = 1) -> State:
    """Return the state of a new run in ``folder``, or of the one that is there.

    Raises
    ------
    InputError, FormatError, CheckpointMismatch, OutputError
        Contradictions (both settings are named), data that cannot be used, weights of another network, a folder that cannot be
        written, a disk without the space.
    """
    spec, network_config = check(config)
    device = devices.choose(device_name(config.run.device))
    set_threads(config.run.threads)
    if rank == 0 and not resume:
        _refuse_taken(folder)
    stream, validation = open_data(config, spec, sink, network_config)
    torch.manual_seed(config.run.seed)
    module = _network(config, spec, network_config).to(device)
    trained = _freeze(config, module)
    if rank == 0:
        check_space(folder, module)
    part = config.optimiser
    kind = torch.optim.AdamW if part.name == "adamw" else torch.optim.Adam
    state = State(
        config=config,
        spec=spec,
        network_config=network_config,
        module=module,
        optimiser=kind(_groups(trained, part), lr=part.learning_rate, betas=part.betas, weight_decay=part.weight_decay),
        stream=stream,
        validation=validation,
        device=device,
        folder=folder,
        ema={name: p.detach().clone() for name, p in trained.items()} if part.ema > 0 else None,
        mapping=_mapping(config, device),
        scaler=torch.amp.GradScaler(device.type) if config.run.precision == "float16" else None,
        rank=rank,
        world=world,
    )
    if world > 1:
        state.parallel = nn.parallel.DistributedDataParallel(
            module,
            device_ids=[device] if device.type == "cuda" else None,
            # A parameter without effect gets no gradient, for which the processes would wait for ever.
            find_unused_parameters=bool(getattr(module, "without_effect", ())),
        )
    if resume:
        restore(state, folder / LAST)
    elif rank == 0:
        _write_config(config, folder)
    return state


def set_threads(threads: int) -> None:
    """Use so many CPU threads; 0 leaves one core to the window, unless the environment says how many (as torchrun does)."""
    if threads:
        torch.set_num_threads(threads)
    elif "OMP_NUM_THREADS" not in os.environ:
        devices.use_polite_threads()


def _refuse_taken(folder: Path) -> None:
    if (folder / LAST).exists():
        raise InputError(f"there is a run in {folder} already", "Resume it with --resume, or choose another name.")


def check_space(folder: Path, module: nn.Module) -> None:
    """Raise ``OutputError`` unless the folder of a run can be written and its disk holds the run's checkpoints."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    check_folder_writable(there)
    needed = COPIES * sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values()) / MIB
    free = shutil.disk_usage(there).free / MIB
    if needed > free:
        raise OutputError(
            f"the disk of {folder} is too full for the run's checkpoints (expected {needed:.0f} MiB / found {free:.0f} MiB free)",
            "Free some space, or choose another folder with --run.",
        )


def _write_config(config: TrainConfig, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(to_values(config), indent=1), encoding="utf-8")


def _network(config: TrainConfig, spec: ModelSpec, network_config: Any) -> nn.Module:
    if config.model.start:
        return load(spec.name, config.model.start)[0].train()
    built = spec.build(network_config)
    assert isinstance(built, nn.Module)
    return built


def _groups(parameters: Mapping[str, nn.Parameter], part: OptimiserPart) -> list[dict[str, Any]]:
    """Split parameters by name into tensors and lone numbers, each with the ``factor`` of its learning rate.

    Adam moves every parameter by about the learning rate at a step, whatever its gradient. What is right for the weights of a
    convolution is slow for a step size that has to go from 0.1 to 1.
    """
    tensors: list[nn.Parameter] = []
    numbers: list[nn.Parameter] = []
    for name, parameter in parameters.items():
        alone = parameter.numel() <= FEW and name.rpartition(".")[2] not in OF_LAYERS
        (numbers if alone else tensors).append(parameter)
    groups = ((tensors, 1.0), (numbers, part.scalar_rate))
    return [{"params": members, "factor": factor} for members, factor in groups if members]


def _freeze(config: TrainConfig, module: nn.Module) -> dict[str, nn.Parameter]:
    """Keep the parameters that the configuration names as they are; return the others that the network lets be trained."""
    for name, parameter in module.named_parameters():
        if config.model.freeze and name.startswith(config.model.freeze):
            parameter.requires_grad_(False)
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def _mapping(config: TrainConfig, device: torch.device) -> nn.Module | None:
    """Return the frozen mapping network that the relaxometry terms ask."""
    if not config.model.mapping:
        return None
    return load(MAPPING.name, config.model.mapping, device)[0].requires_grad_(False)
