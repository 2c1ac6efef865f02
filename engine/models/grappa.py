"""GRAPPA: missing lines of each coil from the neighbouring lines of all coils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.core.axes import KX
from engine.core.errors import InputError
from engine.core.jobs import Reporter
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.grappa_kernels import Gap, calibrate, find_gaps, hybrid_kernels
from engine.physics.coils import rss
from engine.physics.fourier import ifft1c
from engine.physics.soft_sense import combine_sets

NO_ACS = "Choose a pattern with whole lines and ACS lines (equispaced with --acs 24), or another method such as cg_sense."
CHUNK_SAMPLES = 4_000_000  # complex numbers of full k-space that are filled at once: a bound on memory, and a check between chunks


@dataclass(frozen=True, slots=True)
class GrappaConfig:
    """Settings of :class:`Grappa`."""

    kernel_ky: int = field(default=2, metadata={"help": "source lines of a kernel, half of them on either side of the gap"})
    kernel_kx: int = field(default=5, metadata={"help": "samples of a kernel along the readout; odd"})
    weight: float = field(
        default=0.1, metadata={"help": "Tikhonov weight of the calibration, relative to the size of its normal matrix"}
    )
    combine: str = field(default="maps", metadata={"help": "how coils are combined: maps (linear, keeps the phase) or rss"})

    def __post_init__(self) -> None:
        if self.kernel_ky < 1 or self.kernel_kx < 1 or self.kernel_kx % 2 == 0:
            raise InputError(
                f"a GRAPPA kernel of {self.kernel_ky} x {self.kernel_kx} cannot be used (expected 1 line or more, and an odd "
                "number of samples along kx)",
                "Use kernel_ky=2 and kernel_kx=5.",
            )
        if not 0.0 < self.weight < float("inf"):
            raise InputError(f"the weight must be positive and finite (found {self.weight:g})", "Use about 0.1.")
        if self.combine not in ("maps", "rss"):
            raise InputError(f"combine is {self.combine!r} (expected maps or rss)", "For example --option combine=rss.")


@dataclass(frozen=True, slots=True, eq=False)
class _Calibration:
    """Adjacent known lines in hybrid space, complex (x, coil, frame, ky)."""

    lines: Tensor

    @property
    def count(self) -> int:
        return int(self.lines.shape[-1])


class Grappa:
    """GRAPPA with one set of kernels for the whole series, applied to all frames at once in hybrid space (x, ky).

    Measured lines are kept, ACS included. Each distinct geometry of a gap has its own kernels, so irregular patterns, the rims
    of the ACS and fractional accelerations are exact cases and not exceptions. Kernels are calibrated on the ACS lines of all
    frames; where the frames have none in common, on the average over the frames that measured a line (TGRAPPA).

    Source: Griswold et al., MRM 47 (2002), 1202; Breuer et al., MRM 53 (2005), 981.

    *Deviation*: kernels multiply in hybrid space, which makes the convolution along kx periodic.
    """

    def __init__(self, config: GrappaConfig) -> None:
        self.config = config

    @torch.no_grad()
    def __call__(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x).

        Raises
        ------
        InputError
            The mask does not consist of whole lines, or has no ACS lines, or too few for its widest gap.
        """
        operator = data.operator
        if not operator.full_readout:
            raise InputError("GRAPPA needs a mask of whole lines (expected the same along kx / found one that varies)", NO_ACS)
        batch, frames = data.kspace.shape[:2]
        mask = operator.mask[..., 0, :, 0].to(torch.bool).expand(batch, frames, -1)
        sets = operator.maps if batch == 1 else operator.maps.expand(batch, -1, -1, -1, -1)
        images = [
            self._slice(data.kspace[b], mask[b], sets if batch == 1 else sets[b : b + 1], data.report.part(b / batch, 1 / batch))
            for b in range(batch)
        ]
        return torch.cat(images)

    def _slice(self, kspace: Tensor, mask: Tensor, maps: Tensor, report: Reporter) -> Tensor:
        """Return (set, frame, y, x) from (frame, coil, ky, kx), mask (frame, ky) and maps (set, frame or 1, coil, y, x)."""
        report.step(0, 4, "GRAPPA calibration")
        patterns: dict[tuple[bool, ...], list[int]] = {}
        for frame, row in enumerate(mask.tolist()):
            patterns.setdefault(tuple(row), []).append(frame)
        calibration, gaps = self._calibration(kspace, mask, list(patterns))
        kernels: dict[tuple[tuple[int, ...], tuple[int, ...]], Tensor] = {}
        sets = 1 if self.config.combine == "rss" else len(maps)
        image = torch.empty((sets, kspace.shape[0], *kspace.shape[-2:]), dtype=kspace.dtype, device=kspace.device)
        for number, (pattern, chosen) in enumerate(patterns.items()):
            for gap in gaps[number]:
                report.check()
                key = (gap.sources, gap.targets)
                if key not in kernels:
                    taps = calibrate(calibration.lines, gap, self.config.kernel_kx, self.config.weight)
                    kernels[key] = hybrid_kernels(taps, kspace.shape[KX])
            report.step(1 + 3 * number / len(patterns), 4, "GRAPPA")
            size = max(1, CHUNK_SAMPLES // kspace[0].numel())
            for few in (chosen[first : first + size] for first in range(0, len(chosen), size)):
                coils = self._fill(kspace[few], pattern, gaps[number], kernels, report)
                part = maps if maps.shape[1] == 1 else maps[:, few]
                image[:, few] = rss(coils).to(image.dtype) if self.config.combine == "rss" else combine_sets(coils, part)
        return image

    def _calibration(
        self, kspace: Tensor, mask: Tensor, patterns: Sequence[tuple[bool, ...]]
    ) -> tuple[_Calibration, list[list[Gap]]]:
        """Return the calibration lines and, for each pattern, its gaps."""
        choices = [run for run in (_run(mask.all(0)), _run(mask.any(0))) if run is not None]
        if not choices:
            raise InputError("GRAPPA needs ACS lines (expected adjacent measured lines / found none)", NO_ACS)
        for first, last in choices:
            try:
                gaps = [find_gaps(pattern, self.config.kernel_ky, last - first) for pattern in patterns]
            except InputError as error:
                failure = error
                continue
            block, seen = kspace[..., first:last, :], mask[:, first:last]
            if not bool(seen.all()):
                weights = seen.to(block.real.dtype)[:, None, :, None]
                block = block.sum(0, keepdim=True) / weights.sum(0, keepdim=True)
            return _Calibration(_hybrid(block)), gaps
        raise failure

    def _fill(
        self,
        kspace: Tensor,
        pattern: tuple[bool, ...],
        gaps: Sequence[Gap],
        kernels: dict[tuple[tuple[int, ...], tuple[int, ...]], Tensor],
        report: Reporter,
    ) -> Tensor:
        """Return coil images (1, frame, coil, y, x) of frames that share a pattern."""
        known = [line for line, here in enumerate(pattern) if here]
        position = {line: index for index, line in enumerate(known)}
        measured = _hybrid(kspace[..., known, :])  # (x, coil, frame, known line)
        width, coils, frames, _ = measured.shape
        full = measured.new_zeros((width, coils, frames, len(pattern)))
        full[..., known] = measured
        for gap in gaps:
            report.check()
            parts = [measured[..., [position[first + s] for first in gap.first]] for s in gap.sources]
            sources = torch.stack(parts, dim=1).reshape(width, len(gap.sources) * coils, -1)
            filled = torch.matmul(kernels[gap.sources, gap.targets], sources)  # (x, target coil, frame place)
            filled = filled.reshape(width, len(gap.targets), coils, frames, len(gap.first))
            for index, target in enumerate(gap.targets):
                full[..., [first + target for first in gap.first]] = filled[:, index]
        report.check()
        return ifft1c(full, -1).permute(2, 1, 3, 0).unsqueeze(0)


def _hybrid(kspace: Tensor) -> Tensor:
    """Return (frame, coil, ky, kx) as hybrid space, contiguous (x, coil, frame, ky)."""
    return ifft1c(kspace, KX).permute(3, 1, 0, 2).contiguous()


def _run(known: Tensor) -> tuple[int, int] | None:
    """Return first and one-past-last of the longest run of known lines, the one nearest to the centre among equals."""
    flags = known.tolist()
    centre = len(flags) / 2
    best: tuple[int, int] | None = None
    start = 0
    for index, here in enumerate([*flags, False]):
        if here:
            continue
        if index > start:
            run = (start, index)
            longer = best is None or index - start > best[1] - best[0]
            level = best is not None and index - start == best[1] - best[0]
            if longer or (level and best is not None and abs(sum(run) / 2 - centre) < abs(sum(best) / 2 - centre)):
                best = run
        start = index + 1
    return best


MODELS.register(
    "grappa",
    ModelSpec(
        name="grappa",
        title="GRAPPA",
        paper="Griswold et al., MRM 2002;47:1202",
        config=GrappaConfig,
        build=Grappa,
        map_sets=2,
        presets={"default": GrappaConfig()},
        notes=(
            "Kernels act in hybrid space, so the convolution along kx is periodic.",
            "Each missing line needs a measured one on either side within the reach of the ACS lines.",
        ),
    ),
)
