"""The training half of the stand-in engine: a schema with one setting of each kind, runs in memory, a process that obeys."""

# ruff: noqa: ARG002 - the signatures are the engine's

from __future__ import annotations

from collections import deque

from PySide6.QtCore import QObject, Signal

from engine.core.records.registries import LossInfo


def record(name, kind, default, **more):
    return {"name": name, "type": kind, "default": default, "help": f"What {name} is", "choices": None, "range": None, **more}


FIELDS = [
    record("location", "text", "sample:pig"),
    record("slices", "integers", []),
    record("leave_out", "integers", []),
    record("weight", "number", 1.0, range=[0, 1e6]),
]
SCHEMA = [
    record("name", "text", "net"),
    record("model.network", "text", "net", choices=["net", "bare_net"]),
    record("model.preset", "text", ""),
    record("model.options", "options", {}),
    record("model.start", "text", ""),
    record("model.freeze", "texts", []),
    record("data.sources", "sources", [{"location": "sample:pig"}], fields=FIELDS),
    record("data.validation", "sources", [], fields=FIELDS),
    record("data.mode", "text", "supervised", choices=["supervised", "self"]),
    record("data.acquisition.coils", "integer_range", [1, 16]),
    record("masks.patterns", "texts", ["equispaced"], choices=["equispaced", "kt_uniform"]),
    record("masks.acceleration", "number_range", [4.0, 12.0]),
    record("losses", "weights", {"l1": 1.0}, choices=["l1", "mse", "ssim"]),
    record("optimiser.learning_rate", "number", 0.001, range=[0, 1]),
    record("optimiser.warm_up", "integer", 50, range=[0, 10**6]),
    record("run.steps", "integer", 2000, range=[1, 10**8]),
    record("run.minutes", "number", 0.0, range=[0, 1e6]),
    record("run.device", "text", "auto"),
    record("run.checkpointing", "flag", False),
]
PRESETS = [
    {"name": "quick", "title": "Quick", "notes": "For a try.", "values": {"run": {"steps": 7}, "losses": {"mse": 2.0, "ssim": 0.5}}}
]


def run_record(folder, step=40, steps=60, **more):
    history = [{"step": n, "psnr": 30.0 + n / 10, "ssim": 0.9} for n in range(0, step + 1, 20)]
    return {
        "folder": folder, "name": "net-tuned", "network": "net", "step": step, "steps": steps, "best": 34.0, "best_step": 40,
        "seconds": 80.0, "history": history, "weights": None, "parent": "net-a", "ended": "", "state": "interrupted", **more,
    }  # fmt: skip


class FakeProcess(QObject):
    """A process that does what the test says."""

    told = Signal(dict)
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
        self.told.emit({"event": event, **values})


class TrainStandIn:
    """Refuses ``warm_up`` longer than ``steps``, as the engine does."""

    def __init__(self) -> None:
        super().__init__()
        self.run_records: list[dict] = []
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
        fields = ["optimiser.warm_up", "run.steps"]
        message = f"optimiser.warm_up = {warm_up} is longer than run.steps = {steps}"
        return [{"fields": fields, "message": message, "hint": "Shorten it."}]

    def estimate_training(self, values, report=None):
        return {"memory_mib": 2048.0, "seconds_per_step": 0.5}

    def runs(self):
        return list(self.run_records)

    def run_log(self, folder):
        return [{"event": "step", "step": n, "loss": 1.0 / n} for n in range(1, 41)]

    def run_config(self, folder):
        return {"name": "again", "run": {"steps": 123}}

    def tell_run(self, folder, word):
        self.told.append((folder, word))
