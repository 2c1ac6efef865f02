"""What a run tells while it runs: one JSON object for each event, and logs for those who want them; and what it is told."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from engine.core.errors import InputError
from engine.core.files import replacing, translate
from engine.core.records.events import Event, Stepped, Validation, as_table, from_table
from engine.core.records.plain import Json

CONTROL = "control"
COMMANDS = ("pause", "go", "stop", "discard")


def line(event: Event) -> str:
    """Return an event as one line of JSON; numbers that are not finite become null."""
    return json.dumps(as_table(event))


def command(folder: Path) -> str:
    """Return what the run was told last (``pause``, ``go``, ``stop``, ``discard``), "go" when nothing.

    The file ``control`` in the run's folder holds the word; a file is heard by every process on every system.
    """
    try:
        word = (folder / CONTROL).read_text(encoding="utf-8").strip()
    except OSError:
        return "go"
    return word if word in COMMANDS else "go"


def tell(folder: Path, word: str) -> None:
    """Tell a run to ``pause``, ``go`` on, ``stop`` and keep the best, or ``discard``."""
    if word not in COMMANDS:
        raise InputError(
            f"a run cannot be told to {word} (expected {', '.join(COMMANDS)})", "Tell it to pause, go, stop or discard."
        )
    with replacing(folder / CONTROL) as temporary:  # never read half
        temporary.write_text(word, encoding="utf-8")


class CsvLog:
    """Appends steps and validations to ``log.csv`` in the run's folder.

    Raises
    ------
    OutputError
        The disk is full, or the folder is gone.
    """

    COLUMNS = ("event", "step", "loss", "learning_rate", "psnr", "ssim", "nmse", "score", "seconds")

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log.csv"

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if not isinstance(event, Stepped | Validation):
            return
        try:
            new = not self._path.exists()
            with self._path.open("a", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, self.COLUMNS, extrasaction="ignore")
                if new:
                    writer.writeheader()
                writer.writerow(as_table(event))
        except OSError as error:
            raise translate(error, self._path) from error

    def close(self) -> None:
        """Leave nothing open."""


def read_log(folder: Path) -> list[Stepped | Validation]:
    """Return the events that a run wrote into ``log.csv``: steps and validations; [] when it kept none.

    What was told after the checkpoint that a run was resumed from stands there twice; the later one counts.
    """
    try:
        with (folder / "log.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError:
        return []
    found: dict[tuple[int, str], Stepped | Validation] = {}
    for row in rows:
        try:
            numbers: dict[str, Json] = {key: float(value) for key, value in row.items() if key not in ("event", None) and value}
        except (TypeError, ValueError):  # a line that a kill cut short
            continue
        event = from_table({"event": row["event"], **numbers}) if "step" in numbers else None
        if isinstance(event, Stepped | Validation):
            found[event.step, event.event] = event
    return [event for _, event in sorted(found.items())]


class TensorBoardLog:
    """Writes losses and scores for TensorBoard."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                "a TensorBoard log needs the package tensorboard (found none)",
                "Install it: `pip install tensorboard`, or set run.tensorboard = false.",
            ) from error
        self._writer: Any = SummaryWriter(str(folder / "tensorboard"))

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if not isinstance(event, Stepped | Validation):
            return
        for key, value in as_table(event).items():
            if key not in ("event", "step") and isinstance(value, (int, float)) and not isinstance(value, bool):
                self._writer.add_scalar(f"{event.event}/{key}", value, event.step)
        self._writer.flush()

    def close(self) -> None:
        """Close the log's file."""
        self._writer.close()
