"""Training runs."""

from __future__ import annotations

from pathlib import Path

from engine.core.jobs import Reporter
from engine.core.records.events import Sink, Stepped, Validation
from engine.core.records.registries import LossInfo
from engine.core.records.training import ConfigValues, Problem, RunInfo, TrainEstimate, TrainPreset, TrainSetting


def losses() -> list[LossInfo]:
    """Return all loss terms."""
    from engine.losses import LOSSES

    return [loss.info for _, loss in LOSSES.items()]


def train_config_schema() -> list[TrainSetting]:
    """Return every setting of a training configuration in order, for a form."""
    from engine.training.schema import schema

    return schema()


def train_presets() -> list[TrainPreset]:
    """Return the recipes that come with the program."""
    from engine.training.presets import presets

    return presets()


def check_train_config(values: ConfigValues) -> list[Problem]:
    """Return what is wrong with a configuration; empty when it can be trained."""
    from engine.training.checks import problems_of

    return problems_of(values)


def estimate_training(values: ConfigValues, report: Reporter | None = None) -> TrainEstimate:
    """Return what a step of a run will take; raise ``InputError`` for a configuration that cannot be trained."""
    from engine.training.config import from_values
    from engine.training.estimate import estimate

    return estimate(from_values(values), report)


def train(values: ConfigValues, folder: str | Path, sink: Sink, resume: bool = False) -> str | None:
    """Train in this process and return the id of the new weights. See :func:`engine.training.run.run`."""
    from engine.training.config import from_values
    from engine.training.run import run

    return run(from_values(values), Path(folder), sink, resume)


def runs() -> list[RunInfo]:
    """Return all training runs, newest first."""
    from engine.training.run import runs as listing

    return listing()


def run_log(folder: str | Path) -> list[Stepped | Validation]:
    """Return the steps and validations that a run wrote down, as its events were; [] when it kept no log."""
    from engine.training.events import read_log

    return read_log(Path(folder))


def run_config(folder: str | Path) -> ConfigValues:
    """Return the configuration of a run as nested plain values."""
    from engine.training.config import to_values
    from engine.training.run import read_run

    return to_values(read_run(Path(folder)))


def new_run_folder(name: str) -> str:
    """Return a folder for a new run, which does not exist yet."""
    from engine.training.run import new_folder

    return str(new_folder(name))


def tell_run(folder: str | Path, word: str) -> None:
    """Tell a run to ``pause``, ``go`` on, ``stop`` and keep the best, or ``discard``."""
    from engine.training.events import tell

    tell(Path(folder), word)


def remove_run(folder: str | Path) -> None:
    """Delete the folder of a run that is over; its weights stay."""
    from engine.training.run import remove_run as remove

    remove(Path(folder))
