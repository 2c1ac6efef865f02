"""What a press of the button asks for: series, mask, methods and slices as they are at that moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.document.case import Case
from app.document.results import continued
from app.review.methods_model import MethodRow
from engine.core.requests import MethodRequest, RunRequest

METRICS = ("psnr", "ssim", "nmse")


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """A run to make: of which case, the rows of the methods' table in the order of the request, and the request itself."""

    case_key: str
    rows: tuple[MethodRow, ...]
    slices: tuple[int, ...]
    keep_earlier: bool
    request: RunRequest

    @property
    def percentile(self) -> float:
        """Of the dynamic region that scores are taken with."""
        return self.request.percentile

    def title_of(self, row: MethodRow) -> str:
        """Return how the result of a row is called."""
        return f"{row.title}, {row.variant}" if row.variant else row.title


def select(case: Case, rows: Sequence[MethodRow], all_slices: bool, keep_earlier: bool, device: str) -> Selection | None:
    """Return the run of these methods on the slice on screen, or on all slices with that one first; None where nothing can run."""
    if case.kspace is None or case.mask is None or not rows:
        return None
    shown = case.view.slice_index
    others = [s for s in range(case.slices) if s != shown] if all_slices else []
    slices = (shown, *others)
    methods = tuple(
        MethodRequest(row.name, row.chosen, row.settings, earlier=continued(case, row.name, row.chosen, row.settings))
        for row in rows
    )
    request = RunRequest(
        series=case.kspace,
        methods=methods,
        mask=case.mask if case.kspace.fully_sampled else None,
        slices=slices,
        device=device,
        reference=False,  # the case has its own
        metrics=METRICS,
        percentile=case.view.region_percentile,
    )
    return Selection(case.key, tuple(rows), slices, keep_earlier, request)
