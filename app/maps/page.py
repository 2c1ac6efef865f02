"""The Maps workspace put together: its panels, its controllers, where they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QWidget

from app.dialogs.closing import ClosingChoice
from app.display.camera import camera_of, camera_values
from app.maps.agreement import MapsAgreementController
from app.maps.agreement_panel import AgreementPanel
from app.maps.controller import MapsController
from app.maps.ecv import MapsEcvController
from app.maps.ecv_panel import EcvPanel
from app.maps.fit import MapsFitController
from app.maps.fit_panel import FitPanel
from app.maps.panel import MapsPanel
from app.maps.pixel_panel import PixelPanel
from app.maps.regions import MapsRegionsController
from app.maps.regions_panel import RegionsPanel
from app.workspaces import LEFT, RIGHT, DockSpec, Panels


class MapsPage:
    """See :class:`app.workspaces.Page`. ``window`` is the main window."""

    def __init__(self, window: Any) -> None:
        context = window.context
        self.panel, self.fit_panel, self.pixel_panel, self.regions_panel = MapsPanel(), FitPanel(), PixelPanel(), RegionsPanel()
        self.ecv_panel, self.agreement_panel = EcvPanel(), AgreementPanel()
        self.widget: QWidget = self.panel
        self.docks: tuple[tuple[DockSpec, QWidget], ...] = (
            (DockSpec("maps_fit", "Fit", LEFT, scrolls=False), self.fit_panel),
            (DockSpec("maps_pixel", "Pixel", RIGHT, scrolls=False), self.pixel_panel),
            (DockSpec("maps_regions", "Segments", RIGHT, scrolls=False, tab_of="maps_pixel"), self.regions_panel),
            (DockSpec("maps_ecv", "ECV", RIGHT, scrolls=False, tab_of="maps_pixel"), self.ecv_panel),
            (DockSpec("maps_agreement", "Agreement", RIGHT, scrolls=False, tab_of="maps_pixel"), self.agreement_panel),
        )
        self.maps = MapsController(context, self.panel, self.pixel_panel)
        self.fit = MapsFitController(context, self.fit_panel)
        self.regions = MapsRegionsController(context, self.regions_panel, self.maps)
        self.ecv = MapsEcvController(context, self.ecv_panel, self.maps)
        self.agreement = MapsAgreementController(context, self.agreement_panel, self.maps)
        self._controllers = (self.maps, self.fit, self.regions, self.ecv, self.agreement)
        self.maps.inspected.connect(lambda: window.raise_dock("maps_pixel"))
        self.regions.drawn.connect(lambda: window.raise_dock("maps_regions"))
        self.maps.pointed.connect(window.status_bar.show_pointed)
        actions, bar = window.actions_by_key, window.top_bar
        self.panel.grid.set_empty_actions((actions["file.open"], bar.samples_action, actions["file.phantom"]), "No maps yet")
        self.fit.running_changed.connect(lambda on: actions["maps.cancel"].setEnabled(on))
        actions["maps.cancel"].setEnabled(False)
        self.fit.start()

    def set_active(self, active: bool) -> None:
        """Work while on screen, rest while not."""
        for controller in self._controllers:
            controller.set_active(active)

    def set_flip(self, on: bool) -> None:
        """Show the first map in the place of the selected one."""
        self.maps.set_flip(on)

    def zoom(self, factor: float) -> None:
        """Zoom about the middle."""
        self.maps.zoom(factor)

    def zoom_reset(self) -> None:
        """Show whole maps."""
        self.maps.zoom_reset()

    def closing_choice(self) -> ClosingChoice | None:
        """Return None: a fit that runs is cancelled."""
        return None

    def close_with(self, way: str, then: Callable[[], Any]) -> None:  # noqa: ARG002 - nothing has to be decided
        """Nothing goes on that could end in several ways."""
        then()

    def keep(self) -> Panels:
        """Return what is set in the panels."""
        return {
            "maps.camera": camera_values(self.panel.grid.camera),
            "maps.fit": {"live": self.fit_panel.live.isChecked()},
            "maps.ecv": {"haematocrit": self.ecv_panel.choice()[2]},
            "maps.agreement": {"region": self.agreement.region},
            "maps.regions": {"method": self.regions.method, "site": self.regions.site},
        }

    def recall(self, panels: Panels) -> None:
        """Set the panels as they were kept."""
        self.panel.grid.set_camera(camera_of(panels.get("maps.camera", {})))
        self.fit_panel.live.setChecked(bool(panels.get("maps.fit", {}).get("live", self.fit_panel.live.isChecked())))
        haematocrit = panels.get("maps.ecv", {}).get("haematocrit")
        if isinstance(haematocrit, int | float) and 0 <= haematocrit < 1:
            self.ecv_panel.set_haematocrit(float(haematocrit))
        self.agreement.choose_region(str(panels.get("maps.agreement", {}).get("region", self.agreement.region)))
        regions = panels.get("maps.regions", {})
        self.regions.choose(str(regions.get("method", self.regions.method)), str(regions.get("site", self.regions.site)))

    def stop(self) -> None:
        """Stand still (the window closes)."""
        for controller in self._controllers:
            controller.stop()
