"""The configuration of a training run as a form shows it: settings by dotted name, in sections, and lists as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.core.records.plain import Plain
from engine.core.records.training import ConfigValues, TrainSetting
from engine.core.records.values import at, listed, number, tabled

WORDS: Final = {
    "model.start": "Start from",
    "model.options": "Settings",
    "data.mode": "Learning",
    "masks.acceleration": "R",
    "masks.acs": "ACS lines",
    "validation_masks.acceleration": "R",
    "validation_masks.acs": "ACS lines",
    "optimiser.name": "Method",
    "optimiser.ema": "Weight average",
    "run.csv": "CSV log",
    "run.tensorboard": "TensorBoard",
    "data.acquisition.snr": "SNR",
}


def words_of(setting: TrainSetting) -> str:
    """Return what stands before the control of a setting."""
    last = setting.name.rpartition(".")[2].replace("_", " ")
    return WORDS.get(setting.name, last[:1].upper() + last[1:])


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the form: ``names`` are settings, or beginnings that end in a dot; the first section that names one has it."""

    key: str
    title: str
    open: bool
    names: tuple[str, ...]


SECTIONS: Final = (
    Section("model", "Network", True, ("name", "model.network", "model.preset", "model.start")),
    Section("data", "Data", True, ("data.sources", "data.mode")),
    Section("masks", "Masks", True, ("masks.",)),
    Section("losses", "Loss", True, ("losses",)),
    Section("run", "Length and machine", True, ("run.steps", "run.minutes", "run.device", "run.precision")),
    Section("optimiser", "Optimiser", False, ("optimiser.",)),
    Section(
        "validation", "Validation", False,
        ("data.validation", "data.validation_", "validation_masks.", "run.epoch", "run.patience"),
    ),
    Section("acquisition", "Simulated acquisitions", False, ("data.acquisition.",)),
    Section("augmentation", "Augmentation", False, ("data.augmentation.",)),
    Section("more", "More", False, ("",)),
)  # fmt: skip


def section_of(name: str) -> str:
    """Return the key of the section that a setting stands in."""
    for section in SECTIONS:
        for one in section.names:
            if name == one or (one.endswith((".", "_")) and name.startswith(one)) or one == "":
                return section.key
    raise AssertionError("the last section takes everything")


def flat(values: ConfigValues, settings: Iterable[TrainSetting]) -> dict[str, Plain]:
    """Return nested values by dotted name; what they do not say is the default."""
    found: dict[str, Plain] = {}
    for setting in settings:
        found[setting.name] = at(values, setting.name, setting.default)
    return found


def nested(values: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return values by dotted name as nested tables, as a configuration is written."""
    made: dict[str, Plain] = {}
    for name, value in values.items():
        *tables, last = name.split(".")
        place = made
        for table in tables:
            below = place.setdefault(table, {})
            assert isinstance(below, dict)
            place = below
        place[last] = value
    return made


def read(kind: str, text: str) -> Plain:
    """Return the value that a line tells for a setting of this kind; None when it cannot be read."""
    if kind == "texts":
        return parse_texts(text)
    if kind == "integers":
        return parse_numbers(text)
    return parse_options(text) if kind == "options" else text


def written(kind: str, value: Plain) -> str:
    """Return a value as :func:`read` reads it; raise ``TypeError`` for one of another kind."""
    if kind == "texts":
        return ", ".join(str(one) for one in listed(value))
    if kind == "integers":
        return numbers_text([int(number(one)) for one in listed(value)])
    return options_text(tabled(value)) if kind == "options" else str(value)


def numbers_text(numbers: Sequence[int]) -> str:
    """Return whole numbers in short: ``0-7, 12``."""
    parts: list[str] = []
    ordered = list(numbers)
    while ordered:
        count = 1
        while count < len(ordered) and ordered[count] == ordered[0] + count:
            count += 1
        last = ordered[count - 1]
        parts.append(f"{ordered[0]}" if count == 1 else f"{ordered[0]}, {last}" if count == 2 else f"{ordered[0]}-{last}")
        ordered = ordered[count:]
    return ", ".join(parts)


def parse_numbers(text: str) -> list[int] | None:
    """Return the whole numbers of ``0-7, 12``, None when it says anything else."""
    found: list[int] = []
    for word in text.replace(",", " ").replace(";", " ").split():
        match = re.fullmatch(r"(\d{1,6})(?:[-–:](\d{1,6}))?", word)
        if match is None:
            return None
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first or last - first > 10_000:
            return None
        found += range(first, last + 1)
    return found


def parse_texts(text: str) -> list[str]:
    """Return the words of a list separated by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def parse_options(text: str) -> dict[str, Plain] | None:
    """Return the settings of ``cascades = 5, share = true``, None when it is not written so."""
    import tomllib

    try:
        options: dict[str, Plain] = tomllib.loads(f"options = {{ {text} }}")["options"]
    except tomllib.TOMLDecodeError:
        return None
    return options


def options_text(options: Mapping[str, Plain]) -> str:
    """Return settings as :func:`parse_options` reads them."""
    import tomli_w

    return ", ".join(tomli_w.dumps({key: value}).strip() for key, value in options.items())


def named_by(fields: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the settings of the form that a problem names: itself, the table it is in, or an entry of it."""
    named = tuple(fields)
    return [name for name in known if any(name == one or name.startswith(f"{one}.") or one.startswith(f"{name}.") for one in named)]


def duration_text(seconds: float) -> str:
    """Return a duration in the unit that suits it: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"


def estimate_text(memory_mib: float | None, seconds_per_step: float | None, steps: int, minutes: float) -> str:
    """Return what a run will take in words."""
    parts = []
    if memory_mib is not None:
        parts.append(f"about {memory_mib / 1024:.1f} GiB" if memory_mib >= 1024 else f"about {memory_mib:.0f} MiB")
    if seconds_per_step is not None:
        whole = steps * seconds_per_step
        whole = min(whole, 60 * minutes) if minutes > 0 else whole
        parts.append(f"{seconds_per_step:.2g} s a step, {duration_text(whole)} in all")
    elif minutes > 0:
        parts.append(f"{duration_text(60 * minutes)} at most")
    return ", ".join(parts)
