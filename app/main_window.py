"""The window: panels, bars and menus put together. What happens when something is pressed is in the controllers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Final

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QFileDialog,
    QLineEdit,
    QMainWindow,
    QMenu,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app import actions, theme, workspaces
from app.availability import AvailabilityController
from app.closing import ClosingController
from app.controllers.context import Context
from app.controllers.files import FilesController
from app.controllers.machine import MachineController
from app.controllers.memory import MemoryController
from app.controllers.remake import RemakeController
from app.controllers.session_file import SessionFileController
from app.document.state import Changed, Topic
from app.errors import ErrorCenter
from app.jobs import JobRunner
from app.layout import WindowLayout
from app.menus import fill_menu_bar
from app.panels.notices import NoticeBar
from app.panels.offer import OfferBar
from app.panels.series import SeriesPanel
from app.panels.status import StatusBar
from app.panels.top_bar import TopBar
from app.review.controller import ReviewController
from app.review.inspector_panel import InspectorPanel
from app.review.methods_panel import MethodsPanel
from app.review.panel import ReviewPanel
from app.review.reconstruct import ReconstructController
from app.review.results import ResultsController
from app.review.sampling import SamplingController
from app.review.sampling_panel import SamplingPanel
from app.review.scores import ScoresController
from app.review.weights import WeightsController
from app.session import Session
from app.settings import Settings
from app.window_memory import WindowMemory
from engine.api.contract import EngineApi

TITLE: Final = "Myoscope"

# Widgets that use arrows and Space themselves when they have the focus.
_KEY_USERS = (QAbstractButton, QAbstractSpinBox, QAbstractSlider, QAbstractItemView, QComboBox, QLineEdit, QPlainTextEdit)
_SHARED_KEYS = (
    Qt.Key.Key_Space, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Delete,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class DockedPanels:
    """The panels that are docked from the start; each field bears the name of its dock."""

    series: SeriesPanel
    sampling: SamplingPanel
    methods: MethodsPanel
    inspector: InspectorPanel

    def by_dock(self) -> dict[str, QWidget]:
        """Return the panels by the name of their docks."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class MainWindow(QMainWindow):
    """Workspaces around one session.

    Signals
    -------
    shown()
        The window is on screen for the first time: now slow things may be loaded.
    """

    shown = Signal()

    def __init__(self, api: EngineApi, settings: Settings, errors: ErrorCenter, runner: JobRunner | None = None) -> None:
        super().__init__()
        self.setObjectName("window")
        self.setWindowTitle(TITLE)
        self.setAcceptDrops(True)
        self._was_shown = self._leaving = False
        self._pages: dict[str, workspaces.Page] = {}
        self._first = QTimer(self)
        self._first.setSingleShot(True)
        self._first.timeout.connect(self.shown.emit)
        self.settings, self.errors = settings, errors
        self.runner = runner or JobRunner(self)
        self.session = Session(self)
        self.context = Context(api, self.session, self.runner, errors, settings, self, self.say)
        self.status_bar = StatusBar()
        self.setStatusBar(self.status_bar)
        self._make_panels()
        self._make_controllers()
        self.actions_by_key = actions.build(self, theme.set_icon)
        self.arrangement = WindowLayout(self, self.panels.by_dock(), settings)
        self.availability = AvailabilityController(self.context, self.actions_by_key, self.reconstruct)
        self.top_bar = TopBar(self.actions_by_key, self.runner, self._fill_samples)
        self.addToolBar(self.top_bar)
        self.menus = fill_menu_bar(
            self,
            self.actions_by_key,
            self.arrangement.visible_docks,
            lambda: self.settings.get("files/recent"),
            self.files.open,
            self._fill_samples,
        )
        self.arrangement.keep_default()
        self._show_actions()
        self._connect()
        self.arrangement.restore()

    @property
    def docks(self) -> dict[str, QDockWidget]:
        """Docks by name."""
        return self.arrangement.docks

    # --- building ------------------------------------------------------------------------------------------------------

    def _make_panels(self) -> None:
        self.panels = DockedPanels(SeriesPanel(), SamplingPanel(), MethodsPanel(), InspectorPanel())
        self.review_panel, self.notices, self.offer = ReviewPanel(), NoticeBar(), OfferBar()
        self._stack = QStackedWidget()
        self._stack.setObjectName("workspaces")
        self._stack.addWidget(self.review_panel)
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.notices)
        layout.addWidget(self.offer)
        layout.addWidget(self._stack, 1)
        self.setCentralWidget(centre)

    def _make_controllers(self) -> None:
        c, p = self.context, self.panels
        self.files = FilesController(c, p.series)
        self.scores = ScoresController(c)
        self.review = ReviewController(c, self.review_panel, p.inspector)
        self.sampling = SamplingController(c, p.sampling)
        self.reconstruct = ReconstructController(c, p.methods, self.sampling.underway)
        self.results = ResultsController(c, p.methods)
        self.weights = WeightsController(c, p.methods)
        self.machine = MachineController(c)
        self.memory = MemoryController(c)
        self.window_memory = WindowMemory(self)
        self.sessions = SessionFileController(c, self.window_memory.keep, self.window_memory.recall)
        self.remake = RemakeController(c)
        self.closing = ClosingController(c, self.sessions, lambda: self.pages, self.leave)

    def _fill_samples(self, menu: QMenu) -> None:
        self.machine.fill_samples(menu, self.files)

    def _connect(self) -> None:
        self.weights.training_requested.connect(self.train_network)
        self.weights.imported.connect(self.reconstruct.load_methods)
        self.errors.shown.connect(self.notices.show_notice)
        self.notices.details_requested.connect(self._show_details)
        self.top_bar.workspace_chosen.connect(self.show_workspace)
        self.review.pointed.connect(self.status_bar.show_pointed)
        self.session.listen(self._on_case, Topic.CURRENT, Topic.TITLE)
        self.session.listen(self.reconstruct.mask_ready, Topic.SAMPLING)
        self.session.changed.connect(self._say_undone)
        self.files.session_requested.connect(self.sessions.open)
        self.sessions.last_found.connect(self._offer_last)
        self.sessions.reopened.connect(partial(self.offer.withdraw, "last"))
        self.remake.offered.connect(self._offer_remake)
        self.session.listen(self._on_cases, Topic.CASES)
        self.machine.device_told.connect(self.top_bar.device.setText)
        self.machine.memory_told.connect(self.top_bar.memory.setText)
        self.actions_by_key["file.open_last"].setEnabled(False)
        start = (self.actions_by_key["file.open"], self.top_bar.samples_action, self.actions_by_key["file.phantom"])
        self.review_panel.grid.set_empty_actions(start)
        tools = [spec.key for spec in actions.ACTIONS if spec.group == "tool"]
        self.review_panel.set_tools(self.actions_by_key[key] for key in (*tools, "view.divider"))
        self._on_case()

    def _on_case(self) -> None:
        case = self.session.current
        self.setWindowTitle(f"{case.title} – {TITLE}" if case is not None else TITLE)
        self.status_bar.show_case(case)

    def _offer_last(self, crashed: bool) -> None:
        """Offer the last session: in the menu and above the images; where something was opened meanwhile, only after a crash."""
        self.actions_by_key["file.open_last"].setEnabled(True)
        if crashed:
            text = "Myoscope did not end normally. The session that was on screen can be opened again."
        else:
            text = "Go on where you were: the session that was on screen last can be opened again."
        if crashed or not self.session.cases:
            self.offer.offer("last", text, "Open last session", self.sessions.open_last)

    def _offer_remake(self, count: int) -> None:
        if count:
            text = f"{count} result{'s of the session are' if count > 1 else ' of the session is'} kept by settings, not as images."
            self.offer.offer("remake", text, "Make them again" if count > 1 else "Make it again", self.remake.run)
        else:
            self.offer.withdraw("remake")

    def _on_cases(self) -> None:
        # Whoever opens something else does not want the last session.
        self.offer.withdraw("last")

    def _say_undone(self, change: Changed) -> None:
        if change.undone or change.redone:
            self.say(f"Taken back: {change.undone}" if change.undone else f"Made again: {change.redone}")
        elif change.final:
            self.say(f"This cannot be undone, it holds more than the memory budget: {change.final}")

    # --- workspaces ----------------------------------------------------------------------------------------------------

    @property
    def workspace(self) -> str:
        """Name of the workspace on screen."""
        return self.arrangement.workspace.name

    @property
    def maps(self) -> Any:
        """The page of the Maps workspace, made when it is first wanted."""
        return self._page(workspaces.find("maps"))

    @property
    def train(self) -> Any:
        """The page of the Train workspace, made when it is first wanted."""
        return self._page(workspaces.find("train"))

    def show_workspace(self, name: str) -> None:
        """Put a workspace on screen; its page is made the first time."""
        wanted = workspaces.find(name)
        if wanted is not self.arrangement.workspace:
            self._on_screen().set_active(False)
            page = self._page(wanted) if wanted.page else None
            # Docks that come and go one by one would be seen.
            self.setUpdatesEnabled(False)
            self.arrangement.show(wanted)
            self._stack.setCurrentWidget(self.review_panel if page is None else page.widget)
            self.setUpdatesEnabled(True)
            self._on_screen().set_active(True)
            self._show_actions()
        self.top_bar.show_workspace(wanted.name)
        self.actions_by_key[f"go.{wanted.name}"].setChecked(True)

    def train_network(self, name: str) -> None:
        """Go to the Train workspace with a network in its form."""
        self.show_workspace("train")
        self.train.form.choose_network(name)

    def raise_dock(self, name: str) -> None:
        """Bring a dock in front of those it shares its place with; one that was closed stays closed."""
        if self.docks[name].isVisible() or self.tabifiedDockWidgets(self.docks[name]):
            self.docks[name].raise_()

    def _page(self, workspace: workspaces.Workspace) -> workspaces.Page:
        if workspace.name not in self._pages:
            page = workspaces.build(workspace, self)
            self._stack.addWidget(page.widget)
            self.arrangement.add(page.docks)
            for spec, _ in page.docks:
                self.docks[spec.name].setVisible(spec.name in self.arrangement.workspace.docks)
            self._pages[workspace.name] = page
            self.window_memory.prepare(page)
        return self._pages[workspace.name]

    @property
    def pages(self) -> tuple[workspaces.Page, ...]:
        """Pages that were made."""
        return tuple(self._pages.values())

    def _on_screen(self) -> Any:
        """Return what zooms, flips and stands still in the workspace on screen."""
        return self._pages.get(self.workspace, self.review)

    def _show_actions(self) -> None:
        """Offer the actions of the workspace on screen: hidden ones have no keys either."""
        for spec in actions.ACTIONS:
            self.actions_by_key[spec.key].setVisible(spec.workspace in ("", self.workspace))
        for menu in self.menus.values():
            menu.menuAction().setVisible(any(action.isVisible() and not action.isSeparator() for action in menu.actions()))

    def zoom(self, factor: float) -> None:
        """Zoom the panes of the workspace on screen about their middle."""
        self._on_screen().zoom(factor)

    def zoom_reset(self) -> None:
        """Show whole images."""
        self._on_screen().zoom_reset()

    # --- what the window does itself -----------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Write a sentence to the status bar for a while."""
        self.status_bar.say(text)

    def set_theme(self, name: str) -> None:
        """Change the theme and remember it."""
        self.settings.set("window/theme", name)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        theme.apply(application, name)
        self.availability.check()

    def toggle_full_screen(self) -> None:
        """Fill the screen, or stop doing so."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def reset_layout(self) -> None:
        """Put panels back where they were."""
        self.arrangement.reset()

    def save_screenshot(self) -> None:
        """Ask for a file and write a picture of the window."""
        path, _ = QFileDialog.getSaveFileName(self, "Save picture of the window", "myoscope.png", "PNG (*.png)")
        if path and self.grab().save(path):
            self.say(f"The picture was written to {path}")

    def show_shortcuts(self) -> None:
        """Show all keys."""
        from app.dialogs.shortcuts import ShortcutsDialog

        ShortcutsDialog(self, self.workspace).open()

    def show_about(self) -> None:
        """Show version and licences."""
        from app.dialogs.about import about

        about(self).open()

    def show_errors(self) -> None:
        """Show what went wrong in this session."""
        from app.dialogs.base import TextDialog

        parts = [f"{when:%H:%M:%S}  {notice.as_text()}" for when, notice in reversed(self.errors.log)]
        TextDialog("Error log", "\n\n".join(parts) or "Nothing went wrong.", "errors", self).open()

    def show_doctor(self) -> None:
        """Show what a bug report needs."""
        self.machine.show_doctor()

    def _show_details(self, notice: Any) -> None:
        from app.dialogs.base import TextDialog

        TextDialog(notice.what, notice.as_text(), "details", self).open()

    def leave(self) -> None:
        """Close without a question: what was not saved is kept as the last session."""
        self._leaving = True
        self.close()

    # --- events --------------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            focus = QApplication.focusWidget()
            if event.key() in _SHARED_KEYS and not event.modifiers() and isinstance(focus, _KEY_USERS):
                # The focused control uses these keys; the images have them otherwise.
                event.accept()
                return True
        elif kind == QEvent.Type.WindowDeactivate:
            self._on_screen().set_flip(False)
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._flip_key(event, True):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if not self._flip_key(event, False):
            super().keyReleaseEvent(event)

    def _flip_key(self, event: QKeyEvent, down: bool) -> bool:
        # Text fields keep the letter for themselves: the event does not come here then.
        if event.key() != Qt.Key.Key_F or event.modifiers():
            return False
        if not event.isAutoRepeat():
            self._on_screen().set_flip(down)
        return True

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.files.open(paths)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            # The desktop changes it too, and a window is restored as it was closed.
            self.actions_by_key["view.full_screen"].setChecked(self.isFullScreen())

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            # After the first picture is on screen, not before; and not when the window is closed meanwhile.
            self._first.start(50)
            self.sessions.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._leaving and not self.closing.may_close():
            event.ignore()
            return
        self._first.stop()
        self.sessions.stop()
        self.review.stop()
        self.sampling.stop()
        self.machine.stop()
        self.reconstruct.costs.stop()
        for page in self._pages.values():
            page.stop()
        self.arrangement.save()
        self.settings.save()
        self.hide()
        self.runner.shutdown()
        super().closeEvent(event)
