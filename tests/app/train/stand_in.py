"""The training half of the stand-in engine: a schema with one setting of each kind, runs in memory, a process that obeys."""

# ruff: noqa: ARG002 - the signatures are the engine's

from __future__ import annotations

from collections import deque
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from engine.core.records.events import Stepped, Validation, from_table
from engine.core.records.registries import LossInfo
from engine.core.records.training import Problem, RunInfo, TrainEstimate, TrainPreset, TrainSetting


def setting(name, kind, default, low=None, high=None, choices=(), fields=()):
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


def run_record(folder, step=40, steps=60, **more) -> RunInfo:
    history = tuple(Validation(n, {"psnr": 30.0 + n / 10, "ssim": 0.9}) for n in range(0, step + 1, 20))
    made = RunInfo(folder, "net-tuned", "net", step, steps, 34.0, 40, 80.0, history, None, "net-a", "", "interrupted")
    return replace(made, **more)


class FakeProcess(QObject):
    """A process that does what the test says."""

    told = Signal(object)
    ended = Signal(int)

    def __init__(self, arguments, parent=None):
        super().__init__(parent)
        self.arguments, self.started, self.killed, self.lines = list(arguments), False, False, deque()

    def start(self):
        self.started = True

    def kill(self):
        self.killed = True
        self.ended.emit(-1)

    def wait(self, milliseconds=0):
        return True

    def error_text(self, lines=12):
        return "\n".join(list(self.lines)[-lines:])

    def refusal(self):
        found = dict(line.split(": ", 1) for line in self.lines if ": " in line)
        return found.get("error", ""), found.get("hint", "")

    def tell(self, event, **values):
        self.told.emit(from_table({"event": event, **values}))


class TrainStandIn:
    """Refuses ``warm_up`` longer than ``steps``, as the engine does."""

    def __init__(self) -> None:
        super().__init__()
        self.run_records: list[RunInfo] = []
        self.told: list[tuple[str, str]] = []

    def train_config_schema(self):
        return SCHEMA

    def train_presets(self):
        return PRESETS

    def losses(self):
        return [LossInfo(name, name.upper()) for name in ("l1", "mse", "ssim")]

    def check_train_config(self, values):
        warm_up, steps = values["optimiser"]["warm_up"], values["run"]["steps"]
        if warm_up <= steps:
            return []
        message = f"optimiser.warm_up = {warm_up} is longer than run.steps = {steps}"
        return [Problem(("optimiser.warm_up", "run.steps"), message, "Shorten it.")]

    def estimate_training(self, values, report=None):
        return TrainEstimate(2048.0, 0.5, 31_000, 12, 192, 48, "CPU")

    def runs(self):
        return list(self.run_records)

    def run_log(self, folder):
        return [Stepped(n, loss=1.0 / n) for n in range(1, 41)]

    def run_config(self, folder):
        return {"name": "again", "run": {"steps": 123}}

    def tell_run(self, folder, word):
        self.told.append((folder, word))
