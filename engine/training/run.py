"""A run from beginning to end: the folder, the events, the processes, and the weights that it leaves in the library."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from engine.core import device as devices
from engine.core.errors import FormatError, InputError
from engine.training import distributed
from engine.training.config import TrainConfig, from_values
from engine.training.events import CONTROL, CsvLog, Sink, TensorBoardLog, tell
from engine.training.loop import fit
from engine.training.setup import CONFIG, set_up
from engine.training.state import BEST, LAST, State, read_checkpoint
from engine.weights import library
from engine.weights.card import ModelCard

_MMAP_MAX, _TRIM_THRESHOLD = -4, -1  # of glibc's mallopt


def runs_folder() -> Path:
    """Return where runs are kept: beside the user's weights."""
    return library.user_folder().parent / "runs"


def new_folder(name: str) -> Path:
    """Return a folder for a new run called ``name``; a number is added when there is one already."""
    base = runs_folder() / library.slug(name)
    folder, number = base, 2
    while folder.exists():
        folder, number = base.with_name(f"{base.name}-{number}"), number + 1
    return folder


def runs() -> list[dict[str, Any]]:
    """Return all runs, newest first: folder, name, network, step, steps, best score, whether it can be resumed."""
    found = []
    for folder in sorted(runs_folder().glob("*"), key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            about = read_checkpoint(folder / LAST)[1]
        except FormatError:
            continue
        config = about["config"]
        found.append({
            "folder": str(folder), "name": config["name"], "network": config["model"]["network"], "step": about["step"],
            "steps": config["run"]["steps"], "best": about["best"], "best_step": about["best_step"],
            "seconds": about["spent_seconds"], "history": about["history"],
        })  # fmt: skip
    return found


def read_run(folder: Path) -> TrainConfig:
    """Return the configuration of a run; raise ``FormatError`` when the folder holds none."""
    try:
        return from_values(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise FormatError(f"{folder} is not the folder of a run ({error})", "Name a folder below the runs folder.") from error


def run(config: TrainConfig, folder: Path, sink: Sink, resume: bool = False) -> str | None:
    """Train, and leave the best weights in the library.

    Returns
    -------
    str or None
        The id of the new weights; None when the run was discarded (its folder is gone then), or in all processes but the first.

    Raises
    ------
    EngineError
        Contradictions, data, memory, disk; the last checkpoint stays.
    """
    keep_heap()
    with distributed.processes(config) as (rank, world):
        sinks: list[Sink] = [sink] if rank == 0 else []

        def everyone(event: dict[str, Any]) -> None:
            for one in sinks:
                one(event)

        if rank == 0 and resume:
            tell(folder, "go")
        state = set_up(config, folder, everyone, resume, rank, world)
        if rank == 0:
            (folder / CONTROL).unlink(missing_ok=True)
            sinks += [CsvLog(folder)] if config.run.csv else []
            sinks += [TensorBoardLog(folder)] if config.run.tensorboard else []
        everyone({
            "event": "start", "folder": str(folder), "network": state.spec.name, "step": state.step, "steps": config.run.steps,
            "parameters": sum(p.numel() for p in state.module.parameters()), "device": devices.label(state.device),
            "validation_examples": len(state.validation), "resumed": resume,
        })  # fmt: skip
        with devices.memory_errors(
            state.device, f"training {state.spec.title} (try run.checkpointing, data.columns, run.precision)"
        ):
            ended = fit(state, everyone)
        if rank != 0:
            return None
        if ended == "discard":
            shutil.rmtree(folder)
            return None
        identifier = register(state)
        sink({"event": "weights", "id": identifier, "score": state.best, "step": state.best_step})
        return identifier


def register(state: State) -> str:
    """Put the best weights of a run into the library, with their card; nothing there is ever overwritten."""
    tensors, about = read_checkpoint(state.folder / BEST)
    config = state.config
    taken = {entry.card.id for entry in library.installed()}
    base = library.slug(config.name)
    identifier, number = base, 2
    while identifier in taken:
        identifier, number = f"{base}-{number}", number + 1
    scores = next((record for record in state.history if record["step"] == about["step"]), {})
    card = ModelCard(
        id=identifier,
        network=state.spec.name,
        preset=next((name for name, preset in state.spec.presets.items() if preset == state.network_config), None),
        config=dataclasses.asdict(state.network_config),
        parameters=0,
        sha256="",
        source=f"trained with Myoscope, {about['step']} steps of {config.optimiser.batch}, {state.spent_seconds / 60:.0f} minutes, "
        f"{devices.label(state.device)}",
        licence="Apache-2.0" if not config.model.start else "as the weights it started from",
        parent=config.model.start or None,
        data="; ".join(_words(part) for part in config.data.sources),
        masks=", ".join(config.masks.patterns) + f", ACS {config.masks.acs[0]} to {config.masks.acs[1]}",
        accelerations=config.masks.acceleration,
        coils=f"{config.data.acquisition.coils[0]} to {config.data.acquisition.coils[1]} where simulated, maps estimated (ESPIRiT)",
        normalisation=state.spec.normalise,
        scores={key: float(scores[key]) for key in ("psnr", "ssim", "nmse") if key in scores},
        seed=config.run.seed,
    )
    return library.add({key: value.numpy() for key, value in tensors.items()}, card).card.id


def _words(part: Any) -> str:
    text = part.location.replace("\\", "/").rstrip("/").split("/")[-1]
    if part.slices:
        text += f" slices {', '.join(map(str, part.slices))}"
    if part.leave_out:
        text += f" without slices {', '.join(map(str, part.leave_out))}"
    return text


def keep_heap() -> None:
    """Let the C library keep freed memory for the next step instead of returning it and faulting it in again.

    Measured on this program's training: four fifths of the time spent in the kernel go. The process ends with the run, and its
    memory with it. Where the C library is another one, nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        library_c = ctypes.CDLL(None)
        library_c.mallopt(_MMAP_MAX, 0)
        library_c.mallopt(_TRIM_THRESHOLD, -1)
    except (OSError, AttributeError):
        return


def check_resume(folder: Path) -> None:
    """Raise ``InputError`` when there is nothing to resume in ``folder``."""
    if not (folder / LAST).is_file():
        raise InputError(f"there is nothing to resume in {folder} (expected {LAST})", "Start the run again.")
