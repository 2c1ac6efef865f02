"""A run from beginning to end: the folder, the events, the processes, and the weights that it leaves in the library."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.core import device as devices
from engine.core.errors import DeviceMemoryError, FormatError, InputError
from engine.core.files import replacing, translate
from engine.core.places import weights_folder
from engine.core.records.events import Event, Registered, Sink, Started
from engine.core.records.training import RunInfo
from engine.core.records.weights import ModelCard
from engine.datasets.sources import SAMPLE
from engine.io.samples import samples
from engine.reconstruction.weights import preset_of
from engine.training import distributed
from engine.training.config import SourcePart, TrainConfig, from_values
from engine.training.events import CONTROL, CsvLog, TensorBoardLog, tell
from engine.training.loop import HELD, METRICS, fit
from engine.training.setup import CONFIG, set_up
from engine.training.state import BEST, LAST, State, read_checkpoint, read_notes, validations
from engine.weights import library

PROCESS, RESULT = "process", "result.json"
_MMAP_MAX, _TRIM_THRESHOLD = -4, -1  # of glibc's mallopt


def runs_folder() -> Path:
    """Return where runs are kept: beside the user's weights."""
    return weights_folder().parent / "runs"


def new_folder(name: str) -> Path:
    """Return a folder for a new run called ``name``; a number is added when there is one already."""
    base = runs_folder() / library.slug(name)
    folder, number = base, 2
    while folder.exists():
        folder, number = base.with_name(f"{base.name}-{number}"), number + 1
    return folder


def runs() -> list[RunInfo]:
    """Return all runs, newest first; what holds no readable run is left out."""
    found = []
    for folder in runs_folder().glob("*"):
        # One may be discarded by its process while it is looked at, and what somebody else put there is no run.
        with contextlib.suppress(OSError, FormatError, KeyError, TypeError):
            found.append(((folder / LAST).stat().st_mtime, _info(folder, read_notes(folder / LAST))))
    return [info for _, info in sorted(found, key=lambda one: one[0], reverse=True)]


def _info(folder: Path, about: Mapping[str, Any]) -> RunInfo:
    config, ended = about["config"], about.get("ended", "")
    return RunInfo(
        folder=str(folder),
        name=config["name"],
        network=config["model"]["network"],
        step=about["step"],
        steps=config["run"]["steps"],
        best=about["best"],
        best_step=about["best_step"],
        seconds=about["spent_seconds"],
        history=validations(about),
        weights=_result(folder),
        parent=config["model"]["start"] or None,
        ended=ended,
        state="running" if is_running(folder) else "ended" if ended else "interrupted",
    )


def _result(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / RESULT).read_text(encoding="utf-8"))["weights"])
    except (OSError, ValueError, KeyError):
        return None


def is_running(folder: Path) -> bool:
    """Return whether the process that trains in this folder is alive."""
    try:
        number = int((folder / PROCESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return process_exists(number)


def process_exists(number: int) -> bool:
    """Return whether there is a process of this number on this machine."""
    try:
        import psutil
    except ImportError:
        if sys.platform == "win32":
            return False  # there, a signal would end it
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    return bool(psutil.pid_exists(number))


def remove_run(folder: Path) -> None:
    """Delete a run that is over; its weights stay in the library.

    Raises
    ------
    InputError, FormatError, OutputError
        It is still running, or no run, or cannot be deleted.
    """
    read_run(folder)
    if is_running(folder):
        raise InputError(f"the run in {folder} is still on", "Stop or discard it first.")
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise translate(error, folder) from error


def read_run(folder: Path) -> TrainConfig:
    """Return the configuration of a run; raise ``FormatError`` when the folder holds none."""
    try:
        values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(f"{folder} is not the folder of a run ({error})", "Name a folder below the runs folder.") from error
    if not isinstance(values, dict):
        raise FormatError(f"{folder} is not the folder of a run ({CONFIG} holds no table)", "Name a folder below the runs folder.")
    return from_values(values)


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
    with distributed.processes(config) as (rank, world, words), contextlib.ExitStack() as afterwards:
        sinks: list[Sink] = [sink] if rank == 0 else []

        def everyone(event: Event) -> None:
            for one in sinks:
                one(event)

        if rank == 0 and resume:
            check_resume(folder)
            tell(folder, "go")
        state = set_up(config, folder, everyone, resume, rank, world)
        state.words = words
        if rank == 0:
            (folder / CONTROL).unlink(missing_ok=True)
            (folder / PROCESS).write_text(str(os.getpid()), encoding="utf-8")
            afterwards.callback((folder / PROCESS).unlink, missing_ok=True)
            for made in logs(config, folder):
                afterwards.callback(made.close)
                sinks.append(made)
        everyone(
            Started(
                folder=str(folder),
                network=state.spec.name,
                step=state.step,
                steps=config.run.steps,
                parameters=sum(p.numel() for p in state.module.parameters()),
                device=devices.label(state.device),
                validation_examples=len(state.validation),
                resumed=resume,
            )
        )
        with _memory_hint(state):
            ended = fit(state, everyone)
    # Its files are closed now: on some systems open ones cannot be removed.
    if rank != 0:
        return None
    if ended == "discard":
        shutil.rmtree(folder)
        return None
    identifier = register(state)
    sink(Registered(identifier, state.best, state.best_step))
    return identifier


def logs(config: TrainConfig, folder: Path) -> list[CsvLog | TensorBoardLog]:
    """Return the logs that a configuration asks for."""
    wanted: list[CsvLog | TensorBoardLog] = []
    if config.run.csv:
        wanted.append(CsvLog(folder))
    if config.run.tensorboard:
        wanted.append(TensorBoardLog(folder))
    return wanted


@contextlib.contextmanager
def _memory_hint(state: State) -> Iterator[None]:
    """Say what to change when memory runs out."""
    try:
        with devices.memory_errors(state.device, f"training {state.spec.title}"):
            yield
    except DeviceMemoryError as error:
        run, data = state.config.run, state.config.data
        ways = [] if run.checkpointing else ["run.checkpointing = true"]
        if data.columns > 32 or (data.columns == 0 and state.config.masks.full_readout):
            ways.append(f"data.columns = {data.columns // 2 if data.columns else 48}")
        if run.precision == "float32":
            ways.append('run.precision = "bfloat16"')
        ways.append("fewer data.acquisition.frames, or a smaller preset of the network")
        raise DeviceMemoryError(error.message, f"Set {', or '.join(ways)}; then resume.") from error


def register(state: State) -> str:
    """Put the best weights of a run into the library, with their card; nothing there is ever overwritten."""
    tensors, about = read_checkpoint(state.folder / BEST)
    config = state.config
    taken = {entry.card.id for entry in library.installed()}
    base = library.slug(config.name)
    identifier, number = base, 2
    while identifier in taken:
        identifier, number = f"{base}-{number}", number + 1
    scores = next((told.scores for told in state.history if told.step == about["step"]), {})
    card = ModelCard(
        id=identifier,
        network=state.spec.name,
        preset=preset_of(state.spec, state.network_config),
        config=dataclasses.asdict(state.network_config),
        parameters=0,
        sha256="",
        source=f"trained with Myoscope, {about['step']} steps of {_examples(config.optimiser.batch)}, "
        f"{state.spent_seconds / 60:.0f} minutes, {devices.label(state.device)}",
        licence=config.licence,
        parent=config.model.start or None,
        data="; ".join(_words(part) for part in config.data.sources),
        masks=f"{_shares(config.masks.patterns)}, ACS {config.masks.acs[0]} to {config.masks.acs[1]}",
        accelerations=config.masks.acceleration,
        coils=f"{config.data.acquisition.coils[0]} to {config.data.acquisition.coils[1]} where simulated, maps estimated (ESPIRiT)",
        normalisation=state.spec.normalise,
        scores={key: float(scores[key]) for key in (*METRICS, HELD) if key in scores},
        protocol=_protocol(config, len(state.validation)),
        seed=config.run.seed,
        notes=config.notes,
    )
    found = library.add({key: value.numpy() for key, value in tensors.items()}, card).card.id
    with replacing(state.folder / RESULT) as temporary:
        temporary.write_text(json.dumps({"weights": found}), encoding="utf-8")
    return found


def _protocol(config: TrainConfig, examples: int) -> str:
    """Return how the scores were taken."""
    masks, columns = config.validation_masks, config.data.validation_columns
    where = "; ".join(_words(part) for part in config.data.validation) or "subjects kept out of training"
    crop = f", crops of {columns} columns" if columns else ""
    low, high = masks.acceleration
    factor = f"R {low:g}" if low == high else f"R {low:g} to {high:g}"
    return f"{examples} series of {where}{crop}; {_shares(masks.patterns)}, {factor}, ACS {masks.acs[0]} to {masks.acs[1]}"


def _examples(count: int) -> str:
    return f"{count} example{'s' if count > 1 else ''}"


def _shares(names: Sequence[str]) -> str:
    """Return names with their shares, where one stands more often than others: "equispaced (2 of 3), random (1 of 3)"."""
    counts = Counter(names)
    if len(set(counts.values())) < 2:
        return ", ".join(counts)
    return ", ".join(f"{name} ({count} of {len(names)})" for name, count in counts.items())


def _words(part: SourcePart) -> str:
    """Return a source in words: never a whole path, which would tell whose machine it was."""
    text = part.location.replace("\\", "/").rstrip("/").split("/")[-1]
    if part.slices:
        text += f" slices {', '.join(map(str, part.slices))}"
    if part.leave_out:
        text += f" without slices {', '.join(map(str, part.leave_out))}"
    licence = next((one.licence for one in samples() if part.location == f"{SAMPLE}{one.name}"), "")
    return f"{text} ({licence})" if licence else text


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
    """Raise ``InputError`` when there is nothing to resume in ``folder``, or another process still trains there."""
    if not (folder / LAST).is_file():
        raise InputError(f"there is nothing to resume in {folder} (expected {LAST})", "Start the run again.")
    if is_running(folder):
        raise InputError(
            f"the run in {folder} is still on", f"Stop it first; if no process trains there, delete its file {PROCESS}."
        )
