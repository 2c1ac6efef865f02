"""The training form kept in step: schema, recipes, weights to start from; checked while it is typed; TOML in and out."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog

from app.controllers.context import Context
from app.jobs import JobHandle
from app.settings import folder
from app.train.fields import ChoiceField
from app.train.form_panel import TrainFormPanel
from app.train.values import estimate_text, flat, nested
from engine.core.errors import EngineError, FormatError
from engine.core.files import replacing
from engine.core.jobs import Reporter
from engine.core.records.methods import MethodInfo
from engine.core.records.plain import Plain
from engine.core.records.training import ConfigValues, Problem, TrainEstimate, TrainPreset, TrainSetting
from engine.core.records.values import at, number_at

LANE: Final = "io"
PRIORITY: Final = 20
CHECK_MS, ESTIMATE_MS = 60, 400
KEPT: Final = "train.toml"
"""The form as it was left, in the folder of the settings."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the engine says about training."""

    settings: tuple[TrainSetting, ...]
    presets: tuple[TrainPreset, ...]
    networks: Mapping[str, MethodInfo]
    losses: Mapping[str, str]
    samples: tuple[tuple[str, str], ...]


class TrainFormController(QObject):
    """Fills the form, checks it, and gives its values.

    Signals
    -------
    ready()
        The form is there.
    start_requested(values)
        The button was pressed on a configuration without contradictions, given as nested values.
    """

    ready = Signal()
    start_requested = Signal(dict)

    def __init__(self, context: Context, panel: TrainFormPanel) -> None:
        super().__init__(context.window)
        self._c, self._panel = context, panel
        self._known: _Known | None = None
        self._network = ""
        self._checked: ConfigValues | None = None
        self._busy = False
        self._wanted = False
        self._check_timer, self._estimate_timer = QTimer(self), QTimer(self)
        for timer, after, slot in (
            (self._check_timer, CHECK_MS, self._check),
            (self._estimate_timer, ESTIMATE_MS, self._estimate),
        ):
            timer.setSingleShot(True)
            timer.setInterval(after)
            timer.timeout.connect(slot)
        panel.changed.connect(self._on_changed)
        panel.preset_chosen.connect(self.use_preset)
        panel.open_requested.connect(self.open_dialog)
        panel.save_requested.connect(self.save_dialog)
        panel.start_requested.connect(self.request_start)

    # --- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Ask what there is (the workspace is opened for the first time)."""
        handle = self._submit("List training settings", self._load)
        handle.succeeded.connect(self._on_loaded)
        handle.failed.connect(partial(self._c.errors.report, "List training settings"))

    def stop(self) -> None:
        """Stand still, and keep the form for the next time (the window closes)."""
        self._check_timer.stop()
        self._estimate_timer.stop()
        if self._known is not None:
            self._keep()

    def _submit(self, title: str, work: Callable[[Reporter], Any], key: str = "") -> JobHandle:
        return self._c.runner.submit(LANE, title, work, key=key, quiet=True, priority=PRIORITY)

    def _load(self, _: Reporter) -> _Known:
        api = self._c.api
        networks = {method.name: method for method in api.methods(costs=False) if method.trainable}
        return _Known(
            tuple(api.train_config_schema()),
            tuple(api.train_presets()),
            networks,
            {loss.name: f"{loss.title}\n{loss.source}".strip() for loss in api.losses()},
            tuple((sample.title, sample.name) for sample in api.samples()),
        )

    def _on_loaded(self, known: _Known) -> None:
        self._known = known
        self._panel.set_settings(known.settings, known.losses, known.samples)
        self._panel.set_presets(known.presets)
        self.set_values(self._kept())
        self._panel.set_able(not self._busy)
        self.ready.emit()

    def _kept(self) -> ConfigValues:
        try:
            return tomllib.loads((folder() / KEPT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _keep(self) -> None:
        try:
            folder().mkdir(parents=True, exist_ok=True)
            write_toml(folder() / KEPT, self.values())
        except (OSError, EngineError) as error:
            self._c.say(f"The training form could not be kept: {error}")

    # --- values --------------------------------------------------------------------------------------------------------

    def values(self) -> dict[str, Plain]:
        """Return what the form says, as nested values."""
        return nested(self._panel.values())

    def set_values(self, values: ConfigValues) -> None:
        """Show a configuration; what it does not say is at its default."""
        if self._known is None:
            return
        shown = flat(values, self._known.settings)
        self._network = str(shown.get("model.network") or "")
        self._offer_choices()
        try:
            self._panel.set_values(shown)
        except (TypeError, ValueError, KeyError) as error:
            # A file written by hand may hold anything; the check names settings better than a control does.
            self._panel.set_values(flat({}, self._known.settings))
            problem = FormatError(f"the configuration cannot be shown ({error})", "`myoscope train FILE --check` says more.")
            self._c.errors.report("Open configuration", problem)
        self._touch()

    def choose_network(self, name: str) -> None:
        """Show a network in the form, from scratch and as it comes; as soon as the form is there."""
        if self._known is None:
            self.ready.connect(lambda: self.choose_network(name), Qt.ConnectionType.SingleShotConnection)
        else:
            self.set_values({**self.values(), "name": name, "model": {"network": name}})

    def use_preset(self, name: str) -> None:
        """Fill the form with a recipe; the data stay where it names none."""
        known = self._known
        preset = next((p for p in known.presets if p.name == name), None) if known is not None else None
        if preset is None:
            return
        given = preset.values.get("data")
        data = dict(given) if isinstance(given, Mapping) else {}
        for part in ("sources", "validation"):
            if not data.get(part):
                data[part] = at(self.values(), f"data.{part}", [])
        self.set_values({**preset.values, "data": data})
        self._c.say((preset.notes or preset.title).split("\n", 1)[0])

    def set_busy(self, busy: bool) -> None:
        """Say whether a run is on: there is one at a time."""
        self._busy = busy
        self._panel.set_able(
            self._known is not None and not busy, "One run at a time: stop the one that is on first." if busy else ""
        )

    def refresh_weights(self) -> None:
        """List the weights to start from anew (a run made some)."""
        handle = self._submit("List weights", lambda _: self._c.api.methods(costs=False))
        handle.succeeded.connect(self._on_methods)
        handle.failed.connect(partial(self._c.errors.report, "List weights"))

    def _on_methods(self, methods: Sequence[MethodInfo]) -> None:
        if self._known is not None:
            networks = {method.name: method for method in methods if method.trainable}
            known = self._known
            self._known = _Known(known.settings, known.presets, networks, known.losses, known.samples)
            self._offer_choices()

    # --- choices that depend on others ---------------------------------------------------------------------------------

    def _offer_choices(self) -> None:
        known = self._known
        if known is None:
            return
        method = known.networks.get(self._network)
        fields = self._panel.fields
        network, preset, start = (fields.get(f"model.{name}") for name in ("network", "preset", "start"))
        if isinstance(network, ChoiceField):
            names = network.setting.choices or tuple(known.networks)
            network.set_choices([(name, known.networks[name].title if name in known.networks else name) for name in names])
        if isinstance(preset, ChoiceField):
            preset.set_choices([("", "as it comes"), *((name, name) for name in (method.presets if method else ()))])
        if isinstance(start, ChoiceField):
            start.set_choices([("", "scratch"), *((name, name) for name in (method.weights if method else ()))])
        device = fields.get("run.device")
        if isinstance(device, ChoiceField) and not device.setting.choices:
            device.set_choices([(name, name) for name in ("auto", "cpu", "cuda")])

    def _on_changed(self) -> None:
        values = self._panel.values()
        fields = self._panel.fields
        network = str(values.get("model.network") or "")
        if network != self._network:
            usual = values.get("name") in (self._network, f"{self._network}-tuned", "")
            self._network = network
            self._panel.set_values({"model.preset": "", "model.start": "", "model.options": {}, "model.freeze": []})
            if usual:
                self._panel.set_values({"name": network})
            self._offer_choices()
        elif values.get("model.start"):
            # The weights bring their own settings.
            self._panel.set_values({"model.preset": "", "model.options": {}})
            if values.get("name") == network:
                self._panel.set_values({"name": f"{network}-tuned"})
        for name in ("model.preset", "model.options"):
            if name in fields:
                fields[name].widget.setEnabled(not self._panel.values().get("model.start"))
        self._touch()

    # --- checks --------------------------------------------------------------------------------------------------------

    def _touch(self) -> None:
        self._checked = None
        self._check_timer.start()

    def _check(self) -> None:
        values = self.values()
        handle = self._submit("Check configuration", lambda _: self._c.api.check_train_config(values), "train.check")
        handle.succeeded.connect(partial(self._on_checked, values))
        handle.failed.connect(partial(self._on_check_failed, values))

    def _on_check_failed(self, values: ConfigValues, error: BaseException, details: str) -> None:
        if isinstance(error, EngineError):
            self._on_checked(values, [Problem((), error.message, error.hint)])
        else:
            self._c.errors.report("Check configuration", error, details)

    @property
    def settled(self) -> bool:
        """Whether the problems on screen are those of the values on screen."""
        return self._checked is not None and not self._check_timer.isActive()

    def _on_checked(self, values: ConfigValues, problems: Sequence[Problem]) -> None:
        self._panel.set_problems([*self._panel.complaints_of_typing(), *problems])
        self._checked = values
        if self._panel.problems:
            self._panel.set_estimate("")
            self._wanted = False
        else:
            self._estimate_timer.start()
            if self._wanted:
                self._wanted = False
                self.start_requested.emit(values)

    def _estimate(self) -> None:
        values = self.values()
        handle = self._c.runner.submit(
            LANE,
            "Estimate training",
            lambda report: self._c.api.estimate_training(values, report),
            key="train.estimate",
            quiet=True,
        )
        handle.succeeded.connect(partial(self._on_estimate, values))
        # What cannot be told before is no failure: the run will tell.
        handle.failed.connect(lambda *_: self._panel.set_estimate("Memory and time will be known after the first steps."))

    def _on_estimate(self, values: ConfigValues, found: TrainEstimate) -> None:
        steps, minutes = int(number_at(values, "run.steps")), number_at(values, "run.minutes")
        self._panel.set_estimate(estimate_text(found.memory_mib, found.seconds_per_step, steps, minutes))

    def request_start(self) -> None:
        """Begin a run, after the check of what is on screen now."""
        if self._known is None or self._busy:
            return
        self._wanted = True
        self._check_timer.stop()
        self._check()

    # --- files ---------------------------------------------------------------------------------------------------------

    def open_dialog(self) -> None:
        """Ask for a configuration and show it."""
        path, _ = QFileDialog.getOpenFileName(
            self._c.window, "Open configuration", self._c.settings.get("files/folder"), "Configurations (*.toml);;All files (*)"
        )
        if path:
            self.open(Path(path))

    def open(self, path: Path) -> None:
        """Show a configuration."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problem = FormatError(f"{path.name} is not a configuration in TOML ({error})", "Save… writes one to begin with.")
            self._c.errors.report("Open configuration", problem)
            return
        self.set_values(values)

    def save_dialog(self) -> None:
        """Ask for a place and write the configuration."""
        name = f"{self._panel.values().get('name') or 'training'}.toml"
        start = str(Path(self._c.settings.get("files/folder")) / name)
        path, _ = QFileDialog.getSaveFileName(self._c.window, "Save configuration", start, "Configurations (*.toml)")
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the configuration, and say what runs it."""
        try:
            write_toml(path, self.values())
        except EngineError as error:
            self._c.errors.report("Save configuration", error)
            return
        self._c.say(f"The configuration was written: myoscope train {path}")


def write_toml(path: Path, values: ConfigValues) -> None:
    """Write nested values as TOML; what stood there before stays until the new file is whole."""
    import tomli_w

    with replacing(path) as temporary:
        temporary.write_text(tomli_w.dumps(dict(values)), encoding="utf-8")
