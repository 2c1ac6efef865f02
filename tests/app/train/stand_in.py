"""The training half of the stand-in engine: a schema with one setting of each kind, runs in memory, a process that obeys."""

# ruff: noqa: ARG002 - the signatures are the engine's

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from engine.core.jobs import Reporter
from engine.core.records.events import Stepped, Validation, from_table
from engine.core.records.plain import Json, Plain
from engine.core.records.registries import LossInfo
from engine.core.records.training import ConfigValues, Problem, RunInfo, TrainEstimate, TrainPreset, TrainSetting
from engine.core.records.values import number_at


def setting(
    name: str,
    kind: str,
    default: Plain,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    fields: tuple[TrainSetting, ...] = (),
) -> TrainSetting:
    return TrainSetting(name, kind, default, f"What {name} is", choices, low, high, fields)


FIELDS = (
    setting("location", "text", "sample:pig"),
    setting("slices", "integers", []),
    setting("leave_out", "integers", []),
    setting("weight", "number", 1.0, 0, 1e6),
)
SCHEMA = [
    setting("name", "text", "net"),
    setting("model.network", "text", "net", choices=("net", "bare_net")),
    setting("model.preset", "text", ""),
    setting("model.options", "options", {}),
    setting("model.start", "text", ""),
    setting("model.freeze", "texts", []),
    setting("data.sources", "sources", [{"location": "sample:pig"}], fields=FIELDS),
    setting("data.validation", "sources", [], fields=FIELDS),
    setting("data.mode", "text", "supervised", choices=("supervised", "self")),
    setting("data.acquisition.coils", "integer_range", [1, 16]),
    setting("masks.patterns", "texts", ["equispaced"], choices=("equispaced", "kt_uniform")),
    setting("masks.acceleration", "number_range", [4.0, 12.0]),
    setting("losses", "weights", {"l1": 1.0}, choices=("l1", "mse", "ssim")),
    setting("optimiser.learning_rate", "number", 0.001, 0, 1),
    setting("optimiser.warm_up", "integer", 50, 0, 10**6),
    setting("run.steps", "integer", 2000, 1, 10**8),
    setting("run.minutes", "number", 0.0, 0, 1e6),
    setting("run.device", "text", "auto"),
    setting("run.checkpointing", "flag", False),
]
PRESETS = [TrainPreset("quick", "Quick", "For a try.", {"run": {"steps": 7}, "losses": {"mse": 2.0, "ssim": 0.5}})]


def run_record(folder: str, step: int = 40, steps: int = 60, **more: Any) -> RunInfo:
    history = tuple(Validation(n, {"psnr": 30.0 + n / 10, "ssim": 0.9}) for n in range(0, step + 1, 20))
    made = RunInfo(folder, "net-tuned", "net", step, steps, 34.0, 40, 80.0, history, None, "net-a", "", "interrupted")
    return replace(made, **more)


class FakeProcess(QObject):
    """A process that does what the test says."""

    event_read = Signal(object)
    ended = Signal(int)

    def __init__(self, arguments: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.arguments, self.started, self.killed = list(arguments), False, False
        self.lines: deque[str] = deque()

    def start(self) -> None:
        self.started = True

    def kill(self) -> None:
        self.killed = True
        self.ended.emit(-1)

    def wait(self, milliseconds: int = 0) -> bool:
        return True

    def error_text(self, lines: int = 12) -> str:
        return "\n".join(list(self.lines)[-lines:])

    def refusal(self) -> tuple[str, str]:
        found = dict(line.split(": ", 1) for line in self.lines if ": " in line)
        return found.get("error", ""), found.get("hint", "")

    def tell(self, event: str, **values: Json) -> None:
        self.event_read.emit(from_table({"event": event, **values}))


class TrainStandIn:
    """Refuses ``warm_up`` longer than ``steps``, as the engine does."""

    def __init__(self) -> None:
        super().__init__()
        self.run_records: list[RunInfo] = []
        self.words_sent: list[tuple[str, str]] = []

    def train_config_schema(self) -> list[TrainSetting]:
        return SCHEMA

    def train_presets(self) -> list[TrainPreset]:
        return PRESETS

    def losses(self) -> list[LossInfo]:
        return [LossInfo(name, name.upper()) for name in ("l1", "mse", "ssim")]

    def check_train_config(self, values: ConfigValues) -> list[Problem]:
        warm_up, steps = number_at(values, "optimiser.warm_up"), number_at(values, "run.steps")
        if warm_up <= steps:
            return []
        message = f"optimiser.warm_up = {warm_up:g} is longer than run.steps = {steps:g}"
        return [Problem(("optimiser.warm_up", "run.steps"), message, "Shorten it.")]

    def estimate_training(self, values: ConfigValues, report: Reporter | None = None) -> TrainEstimate:
        return TrainEstimate(2048.0, 0.5, 31_000, 12, 192, 48, "CPU")

    def runs(self) -> list[RunInfo]:
        return list(self.run_records)

    def run_log(self, folder: str | Path) -> list[Stepped | Validation]:
        return [Stepped(n, loss=1.0 / n) for n in range(1, 41)]

    def run_config(self, folder: str | Path) -> ConfigValues:
        return {"name": "again", "run": {"steps": 123}}

    def tell_run(self, folder: str | Path, word: str) -> None:
        self.words_sent.append((str(folder), word))
