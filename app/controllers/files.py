"""Opening: files, samples, phantoms; simulated coils; closing and saving."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from app.controllers import saved
from app.controllers.context import Context
from app.controllers.outputs import ask_output
from app.document.case import Case, Origin, Result, Source, record_values
from app.document.file import SUFFIX
from app.document.state import Topic
from app.jobs import JobHandle
from app.panels.series import SeriesPanel
from engine.api.contract import EngineApi
from engine.core.errors import EngineError, InputError
from engine.core.jobs import Reporter
from engine.core.records.entries import Content
from engine.core.requests import OpenOptions, PhantomSettings
from engine.core.types import ImageSeries, KSpaceSeries, Reconstruction

# What a hint of a reader names when the file does not say enough by itself.
_QUESTIONS = ("--axes", "--key", "--times")


class FilesController(QObject):
    """Turns files into cases of the session.

    Signals
    -------
    session_requested(path)
        A session file should be opened.
    """

    session_requested = Signal(object)

    def __init__(self, context: Context, panel: SeriesPanel) -> None:
        super().__init__(context.window)
        self._c = context
        self._panel = panel
        session = context.session
        session.listen(self._show, Topic.CASES, Topic.CURRENT, Topic.TITLE)
        panel.selected.connect(session.select)
        panel.closed.connect(session.remove)
        panel.simulate_requested.connect(self.simulate_current)
        panel.set_simulation(context.settings.get("simulate/coils"), context.settings.get("simulate/snr"))

    def _show(self) -> None:
        self._panel.show_case(self._c.session.current, self._c.session.cases)

    # --- open ----------------------------------------------------------------------------------------------------------

    def open_dialog(self) -> None:
        """Ask for files and open them."""
        patterns = sorted({pattern for one in self._c.api.formats() for pattern in one.suffixes})
        known = f"Known formats ({' '.join([*patterns, f'*{SUFFIX}'])});;" if patterns else ""
        paths, _ = QFileDialog.getOpenFileNames(
            self._c.window, "Open k-space or images", self._c.settings.get("files/folder"), known + "All files (*)"
        )
        self.open(paths)

    def open_folder_dialog(self) -> None:
        """Ask for a folder and open the series in it."""
        path = QFileDialog.getExistingDirectory(self._c.window, "Open the series of a folder", self._c.settings.get("files/folder"))
        if path:
            self.open([path])

    def open(self, paths: Sequence[str | Path], options: OpenOptions | None = None) -> None:
        """Open files, or folders with one series, in the background, each as a case."""
        for path in paths:
            file = Path(path).expanduser()
            file = file if file.is_absolute() else Path.cwd() / file
            if file.suffix == SUFFIX:
                self.session_requested.emit(file)
                continue
            work = partial(_open, self._c.api, file, options)
            handle = self._c.runner.submit("io", f"Open {file.name}", work)
            handle.succeeded.connect(partial(self._on_opened, file, options))
            handle.failed.connect(partial(self._on_failed, file, options))

    def _on_opened(self, file: Path, told: OpenOptions | None, data: KSpaceSeries | ImageSeries | Reconstruction) -> None:
        self._c.settings.add_recent(str(file))
        self._c.settings.set("files/folder", str(file.parent))
        if isinstance(data, Reconstruction):
            title = saved.show(self._c.session, data, file)
            self._c.say(f"{file.name} is open: {title}")
            return
        origin = Origin(Source.FILE, str(file), {} if told is None else record_values(told))
        self._add(data, data.name or file.name, origin, str(file), reading=reading_words(told))

    def _on_failed(self, file: Path, told: OpenOptions | None, error: BaseException, details: str) -> None:
        if isinstance(error, EngineError) and any(word in error.hint for word in _QUESTIONS):
            self._ask_axes(file, told, error)
            return
        self._c.errors.report("Open", error, details)

    def _ask_axes(self, file: Path, told: OpenOptions | None, error: EngineError) -> None:
        from app.dialogs.axes import AxesDialog

        dialog = AxesDialog(file.name, error.message, self._c.window, told)
        dialog.accepted.connect(lambda: self.open([file], dialog.options()))
        dialog.open()

    def open_sample(self, name: str) -> JobHandle:
        """Open a sample; coils are simulated for images at once, with the numbers of the series panel."""
        work = partial(_open_sample, self._c.api, name, self._panel.simulation())
        handle = self._c.runner.submit("io", "Open sample", work)
        handle.succeeded.connect(partial(self._on_sample, name, self._panel.simulation()))
        handle.failed.connect(partial(self._c.errors.report, f"Open sample {name}"))
        return handle

    def _on_sample(
        self, name: str, simulation: tuple[int, float], made: tuple[KSpaceSeries | ImageSeries, str, str, tuple[str, ...]]
    ) -> None:
        data, title, path, commands = made
        # Only images have coils simulated, by a command of their own.
        self._add(data, title, Origin(Source.SAMPLE, name, simulation=simulation if commands else None), path, commands)

    def phantom_dialog(self) -> None:
        """Ask what phantom to make, and make it."""
        from app.dialogs.phantom import PhantomDialog

        dialog = PhantomDialog(self._c.window)
        dialog.accepted.connect(lambda: self.make_phantom(dialog.settings()))
        dialog.open()

    def make_phantom(self, settings: PhantomSettings) -> None:
        """Make a numerical phantom in the background."""
        title = f"Phantom {settings.kind}"
        handle = self._c.runner.submit("cpu", f"Make {title.lower()}", partial(_make_phantom, self._c.api, settings))
        origin = Origin(Source.PHANTOM, options=record_values(settings))
        handle.succeeded.connect(
            lambda data: self._add(data, data.name or title, origin, "phantom.h5", (phantom_command(settings),))
        )
        handle.failed.connect(partial(self._c.errors.report, f"Make {title.lower()}"))

    def _add(
        self,
        data: KSpaceSeries | ImageSeries,
        title: str,
        origin: Origin,
        path: str,
        commands: tuple[str, ...] = (),
        reading: tuple[str, ...] = (),
    ) -> None:
        session = self._c.session
        session.insert(replace(session.new_case(data, title, path, commands), reading=reading, origin=origin))
        self._c.say(f"{title} is open")

    # --- simulated coils -----------------------------------------------------------------------------------------------

    def simulate_dialog(self) -> None:
        """Simulate coils for the images on screen, with the numbers of the series panel."""
        self.simulate_current(*self._panel.simulation())

    def simulate_current(self, coils: int, snr: float) -> None:
        """Make multi-coil k-space from the images on screen."""
        case = self._c.session.current
        if case is None or not isinstance(case.data, ImageSeries):
            error = InputError("there are no images to simulate coils for", "Open a magnitude series or choose a sample first.")
            self._c.errors.report("Simulate coils", error)
            return
        self._c.settings.set("simulate/coils", coils)
        self._c.settings.set("simulate/snr", snr)
        images = case.data
        work = partial(self._c.api.simulate, images, coils, snr, 0)
        handle = self._c.runner.submit("cpu", "Simulate coils", work, key="simulate." + case.key)
        handle.succeeded.connect(partial(self._on_simulated, case, coils, snr))
        handle.failed.connect(partial(self._c.errors.report, "Simulate coils"))

    def _on_simulated(self, case: Case, coils: int, snr: float, data: KSpaceSeries) -> None:
        path, commands = simulated(case.path, coils, snr, case.reading)
        session = self._c.session
        made = session.new_case(data, case.title, path, (*case.commands, *commands))
        made = replace(made, origin=replace(case.origin, simulation=(coils, snr)))
        if session.find(case.key) is not None:
            # The k-space takes the images' place on the list: one series, not two of the same name. Undo shows the images again.
            session.put_in_place(case.key, made, "simulate coils")
        else:
            session.insert(made)

    # --- close and save ------------------------------------------------------------------------------------------------

    def close_current(self) -> None:
        """Take the series on screen off the list; undo brings it back."""
        if self._c.session.current is not None:
            self._c.session.remove(self._c.session.current.key)

    def save_result(self, case: Case, result: Result, path: str) -> None:
        """Write a result, with its reference, in the background."""
        made = result.reconstruction
        if result.original is not None:
            made = result.original
        elif case.reference is not None and set(made.slices) <= case.reference_slices:
            made = replace(made, reference=case.reference[list(made.slices)][:, list(made.frames)])
        # A result is there before the references of all its slices are: those are made with it.
        series = case.kspace if made.reference is None and case.comparable else None
        if series is not None and case.reference_failed.intersection(made.slices):
            series = None
        handle = self._c.runner.submit("io", "Save result", partial(_save, self._c.api, series, made, path))
        handle.succeeded.connect(lambda _: self._c.session.set_file(case.key, result.key, result.stamp, path))
        handle.succeeded.connect(lambda _: self._c.say(f"{result.title} was written to {path}"))
        handle.failed.connect(partial(self._c.errors.report, "Save result"))

    def save_result_dialog(self) -> None:
        """Ask where to write the selected result (the last one when none is selected)."""
        case = self._c.session.current
        if case is None or not case.results:
            self._c.errors.report("Save result", InputError("there is no result to save", "Reconstruct first (Ctrl+Return)."))
            return
        result = case.result(case.selected) or case.results[-1]
        path = ask_output(self._c, f"Save {result.title}", result.method, Content.RECONSTRUCTION)
        if path:
            self.save_result(case, result, path)


def _open(api: EngineApi, file: Path, options: OpenOptions | None, report: Reporter) -> KSpaceSeries | ImageSeries | Reconstruction:
    report.check()
    data = api.open_series(file, options)
    if isinstance(data, ImageSeries) and options is None and "acceleration" in data.attributes:
        # Images with a sampling mask are a result: shown beside the reference of their file, with scores.
        return api.open_reconstruction(data.source or file)
    return data


def _open_sample(
    api: EngineApi, name: str, simulation: tuple[int, float], report: Reporter
) -> tuple[KSpaceSeries | ImageSeries, str, str, tuple[str, ...]]:
    data = api.open_sample(name)
    title, path = data.name or name, data.source
    if not isinstance(data, ImageSeries):
        return data, title, path, ()
    made_path, commands = simulated(path, *simulation)
    return api.simulate(data, *simulation, 0, report), title, made_path, commands


def _save(api: EngineApi, series: KSpaceSeries | None, made: Reconstruction, path: str, report: Reporter) -> None:
    if series is not None:
        made = replace(made, reference=api.reference(series, made.slices, made.frames, report))
    api.save_reconstruction(made, path)


def _make_phantom(api: EngineApi, settings: PhantomSettings, report: Reporter) -> KSpaceSeries:
    data, _ = api.make_phantom(settings, report)
    return data


def reading_words(told: OpenOptions | None) -> tuple[str, ...]:
    """Return what a person said about a file as options of the command line."""
    words: list[str] = []
    for field in fields(OpenOptions):
        value = None if told is None else getattr(told, field.name)
        if value is not None:
            text = ",".join(str(time) for time in value) if field.name == "times_ms" else str(value)
            words += ["--" + field.name.removesuffix("_ms"), text]
    return tuple(words)


def simulated(path: str, coils: int, snr: float, reading: Sequence[str] = ()) -> tuple[str, tuple[str, ...]]:
    """Return the file that simulation would write on the command line, and the line that writes it."""
    name = f"{Path(path).stem or 'images'}-{coils}coils.h5"
    words = ["myoscope", "simulate", path, *reading, "--out", name, "--coils", str(coils), "--snr", f"{snr:g}", "--seed", "0"]
    return name, (shlex.join(words),)


def phantom_command(settings: PhantomSettings) -> str:
    """Return the line that makes the same phantom."""
    ky, kx = settings.matrix
    words = ["myoscope", "phantom", settings.kind, "--out", "phantom.h5", "--matrix", f"{ky}x{kx}"]
    for name in ("coils", "slices", "frames", "snr", "seed"):
        if getattr(settings, name) is not None:
            words += [f"--{name}", str(getattr(settings, name))]
    return shlex.join(words)
