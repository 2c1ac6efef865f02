"""Session files: open, save, keep the session every minute, and what was not saved when the window closes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog

import engine
from app.controllers.autosave import AutosavePlace
from app.controllers.context import Context
from app.controllers.reopen import Opened, Reopened, load, open_file
from app.document.encode import encoded
from app.document.file import SUFFIX, write
from app.document.locate import Known, Verdict, matches
from app.document.saved import SavedCase, SavedWindow
from app.document.state import Document
from engine.api.contract import EngineApi
from engine.core.errors import EngineError, InputError, OutputError
from engine.core.jobs import Reporter

LOG = logging.getLogger(__name__)

AUTOSAVE_MS: Final = 60_000
PLAIN: Final = f"Session, results by their settings (*{SUFFIX})"
WITH_RESULTS: Final = f"Session with results in files beside it (*{SUFFIX})"

#: What is lost when it is not saved, by (case, what, which).
Work = frozenset[tuple[str, str, object]]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the work it holds, and by (case, result) the stamp and the file of results that got one."""

    path: Path
    work: Work
    files: Mapping[tuple[str, str], tuple[int, str]]


class SessionFileController(QObject):
    """Writes the document with what the window shows, and takes it back.

    Signals
    -------
    reopened()
        Another document is on screen.
    last_found(crashed)
        There is a session to offer; ``crashed`` when its window did not end normally.
    """

    reopened = Signal()
    last_found = Signal(bool)

    def __init__(self, context: Context, keep: Callable[[], SavedWindow], recall: Callable[[SavedWindow], None]) -> None:
        super().__init__(context.window)
        self._c, self._keep, self._recall = context, keep, recall
        #: The person's session file, None until one was written or opened.
        self.path: Path | None = None
        self._known: Known = {}
        self._saved: Work = frozenset()
        self._place = AutosavePlace(context.settings.path.parent / "sessions")
        self._kept: Document = context.session.state
        self._timer = QTimer(self)
        self._timer.setInterval(AUTOSAVE_MS)
        self._timer.timeout.connect(self.autosave)

    # --- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to keep the session; say when there is one that can be opened again."""
        crashed = self._place.take()
        self._timer.start()
        if self.has_last:
            self.last_found.emit(crashed)

    def stop(self) -> None:
        """Keep the session a last time (the window closes)."""
        self._timer.stop()
        state = self._c.session.state
        if self._place.path is not None and state.cases:
            try:
                write(self._encoded(state, self._keep(), None), self._place.path)
            except EngineError as error:
                LOG.warning("the last session could not be kept: %s", error)
        self._place.end()

    @property
    def has_last(self) -> bool:
        """Whether there is a last session."""
        return self._place.last.exists()

    def kept_files(self) -> tuple[Path, ...]:
        """Return the file in which this window's session is kept, () when it cannot be."""
        return () if self._place.path is None else (self._place.path,)

    def autosave(self) -> None:
        """Keep the session in the background, when something changed."""
        state, path = self._c.session.state, self._place.path
        if path is None or state is self._kept or not state.cases or self._c.runner.active("session.autosave"):
            return
        window = self._keep()
        work = partial(self._write_quietly, state, window, path)
        handle = self._c.runner.submit("io", "Keep the session", work, key="session.autosave", quiet=True, priority=-5)
        handle.succeeded.connect(lambda _: self._on_kept(state))
        handle.failed.connect(partial(self._c.errors.report, "Keep the session"))

    def _on_kept(self, state: Document) -> None:
        self._kept = state

    def _write_quietly(self, document: Document, window: SavedWindow, path: Path, report: Reporter) -> None:
        report.check()
        write(self._encoded(document, window, None), path)

    def _encoded(self, document: Document, window: SavedWindow, folder: Path | None) -> Any:
        return encoded(document, window, engine.__version__, folder, self._known)

    # --- save ----------------------------------------------------------------------------------------------------------

    @property
    def unsaved(self) -> Work:
        """Results, maps and drawings that neither a session file nor a file of their own holds."""
        return work_of(self._c.session.state) - self._saved

    def save(self, then: Callable[[], Any] | None = None) -> None:
        """Write the session file again; ask where when there is none yet. ``then`` is called when it was written."""
        if self.path is None:
            self.save_dialog(then)
        else:
            self.save_to(self.path, then=then)

    def save_dialog(self, then: Callable[[], Any] | None = None) -> None:
        """Ask where to write the session, and whether its results lie beside it."""
        if not self._c.session.cases:
            self._c.errors.report("Save session", InputError("there is nothing to save", "Open a series first."))
            return
        start = self.path or Path(self._c.settings.get("files/folder") or ".") / f"session{SUFFIX}"
        path, chosen = QFileDialog.getSaveFileName(self._c.window, "Save session", str(start), f"{PLAIN};;{WITH_RESULTS}")
        if path:
            file = Path(path) if Path(path).suffix == SUFFIX else Path(path + SUFFIX)
            self.save_to(file, chosen == WITH_RESULTS, then)

    def save_to(self, path: Path, results: bool = False, then: Callable[[], Any] | None = None) -> None:
        """Write the session in the background; with ``results``, those that lie nowhere go into a folder beside it."""
        state, window = self._c.session.state, self._keep()
        work = partial(self._write, state, window, path, results)
        handle = self._c.runner.submit("io", "Save session", work, key="session.save")
        handle.succeeded.connect(partial(self._on_saved, then))
        handle.failed.connect(partial(self._c.errors.report, "Save session"))

    def _write(self, document: Document, window: SavedWindow, path: Path, results: bool, report: Reporter) -> Written:
        work = work_of(document)
        files: dict[tuple[str, str], tuple[int, str]] = {}
        if results:
            document, files = _write_results(self._c.api, document, path.with_name(f"{path.stem}_results"), report)
        write(self._encoded(document, window, path.parent), path)
        return Written(path, work, files)

    def _on_saved(self, then: Callable[[], Any] | None, written: Written) -> None:
        self.path = written.path
        self._saved = written.work
        for (case, result), (stamp, file) in written.files.items():
            self._c.session.set_file(case, result, stamp, file)
        self._c.settings.add_recent(str(written.path))
        count = f", {len(written.files)} results beside it" if written.files else ""
        self._c.say(f"The session was written to {written.path}{count}")
        if then is not None:
            then()

    # --- open ----------------------------------------------------------------------------------------------------------

    def open_dialog(self) -> None:
        """Ask for a session file and open it."""
        folder = self._c.settings.get("files/folder")
        path, _ = QFileDialog.getOpenFileName(self._c.window, "Open session", folder, f"Sessions (*{SUFFIX})")
        if path:
            self.open(path)

    def open_last(self) -> None:
        """Open the session that was on screen last."""
        if self.has_last:
            self.open(self._place.last)
        else:
            self._c.errors.report("Open last session", InputError("there is no last session", "Open a series or a session file."))

    def open(self, path: str | Path) -> None:
        """Open a session in the place of what is on screen."""
        work = partial(open_file, Path(path), self._known)
        handle = self._c.runner.submit("io", f"Open {Path(path).name}", work, key="session.open")
        handle.succeeded.connect(self._on_read)
        handle.failed.connect(partial(self._c.errors.report, "Open session"))

    def _on_read(self, opened: Opened) -> None:
        if self.unsaved:
            self._ask_replace(opened)
        else:
            self._locate(opened)

    def _ask_replace(self, opened: Opened) -> None:
        from app.dialogs.closing import ClosingDialog

        lines = [*words_of(self.unsaved), "The session that is opened takes the place of what is on screen."]
        dialog = ClosingDialog("Open another session?", lines, (), True, "Open without saving", self._c.window, "replace")
        dialog.save_requested.connect(lambda: self.save(partial(self._locate, opened)))
        dialog.discarded.connect(lambda: self._locate(opened))
        dialog.open()

    def _locate(self, opened: Opened) -> None:
        places = {
            key: found.path for key, found in opened.found.items() if found.path is not None and found.verdict == Verdict.SAME
        }
        if not opened.lost:
            self._load(opened, places)
            return
        from app.dialogs.relocate import RelocateDialog

        dialog = RelocateDialog(opened.path.name, opened.lost, opened.found, self._c.window)
        dialog.file_chosen.connect(partial(self._check_place, dialog, opened))
        dialog.accepted.connect(lambda: self._load(opened, places | dialog.places()))
        dialog.open()

    def _check_place(self, dialog: Any, opened: Opened, key: str, path: str) -> None:
        """Compare a file that a person chose with the one that was saved; others that are lost are looked for beside it."""
        work = partial(_check, opened.lost, key, Path(path), self._known)
        handle = self._c.runner.submit("io", "Compare files", work, key="session.compare", quiet=True)
        handle.succeeded.connect(lambda checked: dialog.set_found(checked))
        handle.failed.connect(partial(self._c.errors.report, "Open session"))

    def _load(self, opened: Opened, places: Mapping[str, Path]) -> None:
        work = partial(load, self._c.api, opened, places, self._c.session.number() + 1_000, self._known)
        handle = self._c.runner.submit("io", f"Open {opened.path.name}", work, key="session.open")
        handle.succeeded.connect(partial(self._on_loaded, opened))
        handle.failed.connect(partial(self._c.errors.report, "Open session"))

    def _on_loaded(self, opened: Opened, made: Reopened) -> None:
        name = opened.path.name
        if made.problems:
            told = "; ".join(made.problems)
            count = "1 part" if len(made.problems) == 1 else f"{len(made.problems)} parts"
            error = InputError(f"{count} of {name} could not be had: {told}", "Open the data, then the session again.")
            self._c.errors.report("Open session", error)
        if opened.session.cases and not made.document.cases:
            return
        self._c.session.open(made.document)
        self._recall(opened.session.window)
        is_own = opened.path.parent == self._place.folder
        self.path = None if is_own else opened.path
        self._saved = frozenset() if is_own else work_of(made.document)
        if not is_own:
            self._c.settings.add_recent(str(opened.path))
        self._c.say(f"{'The last session' if is_own else name} is open")
        self.reopened.emit()


def work_of(document: Document) -> Work:
    """Return what a document holds that would be missed: results and maps that lie in no file, drawings.

    Results and maps are told apart by what they are made from, so that those made again are no other work.
    """
    found: set[tuple[str, str, object]] = set()
    for case in document.cases:
        found |= {(case.key, "result", (result.key, result.slices)) for result in case.results if not result.file}
        found |= {(case.key, "result", (pending.key, pending.slices)) for pending in case.pending}
        found |= {(case.key, "map", (maps.key, maps.maps.slices, maps.settings.words())) for maps in case.maps if not maps.file}
        found |= {(case.key, "drawing", (index, drawn)) for index, drawn in case.drawings.items()}
    return frozenset(found)


def words_of(work: Work) -> list[str]:
    """Return in one sentence what is not saved; [] when nothing is missing."""
    counts = [(sum(kind == what for _, kind, _ in work), one, more) for what, one, more in _WORDS]
    listed = [f"{count} {one if count == 1 else more}" for count, one, more in counts if count]
    if not listed:
        return []
    joined = " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
    return [f"Not saved: {joined}."]


_WORDS: Final = (
    ("result", "result", "results"),
    ("map", "set of maps", "sets of maps"),
    ("drawing", "drawing", "drawings"),
)


def _write_results(
    api: EngineApi, document: Document, folder: Path, report: Reporter
) -> tuple[Document, dict[tuple[str, str], tuple[int, str]]]:
    """Write the results and maps that lie nowhere; return the document that knows their files, and these files."""
    files: dict[tuple[str, str], tuple[int, str]] = {}
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror or error}", "Save the session elsewhere.") from error
    for index, case in enumerate(document.cases):
        report.step(index, len(document.cases), case.title)
        results = []
        for result in case.results:
            made = result
            if not result.file:
                path = folder / f"{case.key}-{result.key}.h5"
                api.save_reconstruction(result.original or result.reconstruction, path)
                files[case.key, result.key] = (result.stamp, str(path))
                made = replace(result, file=str(path))
            results.append(made)
        maps = []
        for one in case.maps:
            path = folder / f"{case.key}-{one.key}-maps.h5"
            if not one.file:
                api.save_maps(one.maps, path)
            maps.append(one if one.file else replace(one, file=str(path)))
        document = document.with_case(replace(case, results=tuple(results), maps=tuple(maps)))
    return document, files


def _check(lost: tuple[SavedCase, ...], key: str, path: Path, known: Known, report: Reporter) -> dict[str, tuple[str, bool]]:
    """Return for each case that was found its path and whether its content is the same."""
    checked: dict[str, tuple[str, bool]] = {}
    for case in lost:
        report.check()
        wanted = case.origin.data
        if wanted is None:
            continue
        if case.key == key:
            checked[key] = (str(path), matches(wanted, path, known))
        elif matches(wanted, path.parent / Path(wanted.path).name, known):
            checked[case.key] = (str(path.parent / Path(wanted.path).name), True)
    return checked
