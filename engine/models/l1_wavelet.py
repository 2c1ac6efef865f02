"""Compressed sensing with Daubechies wavelets under random shifts, in space or in space and time."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.core.axes import KSPACE_FRAME
from engine.core.errors import InputError
from engine.core.jobs import Reporter
from engine.models.contract import MODELS, ModelSpec, ReconInput, no_stages
from engine.models.parts.proximal import threshold_of
from engine.physics.gram import GramOperator
from engine.physics.operator import SenseOperator
from engine.physics.wavelet import MAX_ORDER, WaveletTransform, shrink

TEMPORAL = ("pca", "wavelet", "none")
# Measured on the porcine cine and the numerical phantom at R 4 and 8; the result is flat within a factor of two around each.
RELAXATION = 1.7
FIRST_THRESHOLD = 20.0
CONTINUATION = 0.6
# Without Gram matrices the inner solve is iterative; it starts from the last image and need not be exact.
INNER_ITERATIONS = 8
INNER_TOLERANCE = 1e-3
INVERSE_LIMIT_MIB = 1024.0


@dataclass(frozen=True, slots=True)
class L1WaveletConfig:
    """Settings of :class:`L1Wavelet`."""

    weight: float = field(
        default=0.0012, metadata={"help": "sparsity weight, relative to the 99th percentile of the zero-filled image"}
    )
    noise_weight: float = field(
        default=0.2, metadata={"help": "further sparsity weight, relative to the noise found in the rim of k-space"}
    )
    temporal: str = field(
        default="pca",
        metadata={"help": "transform along frames: pca (principal components of a first image), wavelet, or none (space only)"},
    )
    order: int = field(default=1, metadata={"help": "vanishing moments of the Daubechies wavelet, 1 (Haar) to 10"})
    levels: int = field(default=4, metadata={"help": "levels of the wavelet transform"})
    shifts: int = field(default=4, metadata={"help": "random shifts averaged in each iteration"})
    iterations: int = field(default=25, metadata={"help": "iterations"})
    penalty: float = field(
        default=0.07, metadata={"help": "coupling of data and sparsity steps (ADMM's rho): mostly a matter of speed"}
    )
    seed: int = field(default=0, metadata={"help": "seed of the random shifts"})

    def __post_init__(self) -> None:
        if not (0.0 <= self.weight < float("inf") and 0.0 <= self.noise_weight < float("inf")):
            raise InputError(
                f"weights must be finite and not negative (found {self.weight:g} and {self.noise_weight:g})",
                "Use about 0.001 and 0.2.",
            )
        if self.temporal not in TEMPORAL:
            raise InputError(
                f"temporal is {self.temporal!r} (expected {', '.join(TEMPORAL)})", "For example --option temporal=none."
            )
        if not 1 <= self.order <= MAX_ORDER or self.levels < 0:
            raise InputError(
                f"the wavelet of order {self.order} with {self.levels} levels does not exist (expected order 1 to {MAX_ORDER})",
                "Use order=1 or order=2 and levels=4.",
            )
        if self.shifts < 1 or self.iterations < 1:
            raise InputError(
                f"shifts and iterations must be at least 1 (found {self.shifts} and {self.iterations})", "Use 4 and 25."
            )
        if not 0 <= self.seed < 2**63:
            raise InputError(f"the seed must be a whole number from 0 to 2^63 - 1 (found {self.seed})", "Use 0.")
        if not 0.0 < self.penalty < float("inf"):
            raise InputError(f"the penalty must be positive and finite (found {self.penalty:g})", "Use about 0.07.")


class L1Wavelet:
    """``min_x 1/2 ||A x - k||^2 + t ||W x||_1`` with W orthonormal wavelets in space and an orthonormal transform along frames.

    ADMM with over-relaxation: the data step ``(A^H A + rho I)^-1`` is exact by the Gram matrices (no coils, no FFT), the sparsity
    step is complex soft thresholding. Each iteration takes new random shifts of the wavelets and averages over a few whose
    parities differ (cycle spinning), which removes the blocks and the ringing of one fixed grid; the coarsest band is not
    thresholded. The threshold falls from twenty times its final value during the first 60 % of the iterations: large steps
    first fill what the mask left out.

    The threshold scales itself: ``t = weight * p99(|A^H k|) + noise_weight * sigma`` with sigma from the rim of k-space.
    The default order is 1 (Haar): under averaged shifts it gave 0.5 dB more than order 2 on the porcine cine at R 8 and
    the same at R 4.

    Source: Lustig, Donoho and Pauly, MRM 58 (2007), 1182; Boyd et al., Found. Trends Mach. Learn. 3 (2011), 1, sections 3.4.3
    and 6; cycle spinning: Coifman and Donoho (1995), Figueiredo and Nowak, IEEE Trans. Image Process. 12 (2003), 906.

    *Deviation*: with new shifts in each iteration there is no single objective; the limit is that of the shift-averaged prior.
    The temporal transform is by default the principal components over frames of a regularised first image (as in k-t PCA,
    Pedersen et al., MRM 62 (2009), 706), which also serves MOLLI, whose contrast is not periodic.
    """

    def __init__(self, config: L1WaveletConfig) -> None:
        self.config = config

    @torch.no_grad()
    def __call__(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x)."""
        config, report = self.config, data.report
        total = config.iterations + 2
        report.step(0, total, "L1-wavelet: matrices")
        step = _DataStep(data.operator, config.penalty, report)
        rhs = GramOperator.to_columns(data.operator.adjoint(data.kspace))  # (batch, x, y, frame)
        weight = threshold_of(data, rhs, config.weight, config.noise_weight)
        report.step(1, total, "L1-wavelet")
        x = step(rhs, rhs).mul_(1.0 + config.penalty)
        # Images of several sets of coil maps lie along the batch; the data step couples them, in the modes of one common basis.
        prior = _Prior(config, x, step.shared, len(x) // len(data.kspace))
        # Frames that share mask and maps are mixed by the transform before the loop, once: it commutes with the data step.
        rhs, x = prior.enter(rhs), prior.enter(x)
        z, u = x.clone(), torch.zeros_like(x)
        for iteration in range(config.iterations):
            report.step(2 + iteration, total, "L1-wavelet")
            decay = FIRST_THRESHOLD ** (1.0 - iteration / (CONTINUATION * config.iterations))
            v = torch.lerp(z, x, RELAXATION).add_(u)
            z = prior.denoise(v, weight * (max(1.0, decay) / config.penalty), report)
            u = v.sub_(z)
            x = step(torch.sub(z, u).mul_(config.penalty).add_(rhs), x)
            if data.stages is not no_stages:
                data.stages(iteration, "image", GramOperator.to_image(prior.leave(x)))
        return GramOperator.to_image(prior.leave(x))


class _DataStep:
    """``(A^H A + rho I)^-1`` on columns (batch, x, y, frame): a product with inverse matrices where they fit, else iterations.

    ``shared`` says whether all frames have the same mask and maps.
    """

    def __init__(self, operator: SenseOperator, penalty: float, report: Reporter) -> None:
        self._operator = operator
        self._penalty = penalty
        self._report = report
        self.shared = operator.static_mask and operator.maps.shape[KSPACE_FRAME] == 1
        gram = operator.prepare(report.check)
        if gram is not None and gram.matrices.element_size() * gram.matrices.nelement() > INVERSE_LIMIT_MIB * 2**20:
            gram = None
        if gram is not None:
            gram.inverse(penalty, report.check)
        self._gram = gram

    def __call__(self, rhs: Tensor, guess: Tensor) -> Tensor:
        if self._gram is not None:
            return self._gram.solve_columns(rhs, self._penalty)
        to_image, check = GramOperator.to_image, self._report.check
        solved = self._operator.solve(to_image(rhs), self._penalty, to_image(guess), INNER_ITERATIONS, INNER_TOLERANCE, check)
        return GramOperator.to_columns(solved)


class _Prior:
    """The sparsifying transform and its thresholding, on columns (batch, x, y, frame)."""

    def __init__(self, config: L1WaveletConfig, image: Tensor, shared: bool, coupled: int) -> None:
        frames = image.shape[-1]
        self._config = config
        self._spatial = WaveletTransform((image.shape[1], image.shape[2]), config.order, config.levels)
        self._generator = torch.Generator().manual_seed(config.seed)
        self._basis = principal_components(image, coupled) if config.temporal == "pca" and frames > 1 else None
        self._temporal = WaveletTransform((frames, 1), config.order, config.levels) if config.temporal == "wavelet" else None
        self._outside = shared
        self._shifts = max(1, config.shifts // coupled)  # two images of one slice take the time of one, for 0.2 dB

    def enter(self, columns: Tensor) -> Tensor:
        """Return columns in the domain the iterations run in."""
        return self._modes(columns) if self._outside else columns

    def leave(self, columns: Tensor) -> Tensor:
        """Undo :meth:`enter`."""
        return self._frames(columns) if self._outside else columns

    def _modes(self, columns: Tensor) -> Tensor:
        return columns if self._basis is None else torch.matmul(columns, self._basis[:, None])

    def _frames(self, modes: Tensor) -> Tensor:
        return modes if self._basis is None else torch.matmul(modes, self._basis[:, None].mH)

    def denoise(self, columns: Tensor, threshold: Tensor, report: Reporter) -> Tensor:
        """Return the average over a few random shifts of the image whose wavelet coefficients were thresholded."""
        values = columns if self._outside else self._modes(columns)
        period = 2**self._spatial.levels
        row, column, frame = (int(n) for n in torch.randint(0, 2**30, (3,), generator=self._generator))
        mixing = self._temporal_matrix(frame, columns) if self._temporal is not None else None
        if mixing is not None:
            values = torch.matmul(values, mixing.mT)
        total: Tensor | None = None
        for k in range(self._shifts):
            report.check()
            # The first four shifts differ in the parity of rows, of columns, or of both.
            one = self._denoise_once(values, threshold, ((row + k) % period, (column + (k + 1) // 2) % period))
            total = one if total is None else total.add_(one)
        assert total is not None  # shifts >= 1
        mean = total.mul_(1.0 / self._shifts)
        if mixing is not None:
            mean = torch.matmul(mean, mixing)
        return mean if self._outside else self._frames(mean)

    def _denoise_once(self, values: Tensor, threshold: Tensor, shift: tuple[int, int]) -> Tensor:
        coefficients = self._spatial.forward(torch.view_as_real(values).flatten(-2), shift)
        limit: Tensor | float = threshold if threshold.shape[0] > 1 else float(threshold)
        for _, band in coefficients.bands():
            shrink(_complex(band), limit)
        return _complex(self._spatial.inverse(coefficients))

    def _temporal_matrix(self, shift: int, like: Tensor) -> Tensor:
        """Return the wavelet transform along frames as an orthogonal matrix (coefficient, frame)."""
        assert self._temporal is not None
        frames = self._temporal.shape[0]
        unit = torch.eye(frames, dtype=like.real.dtype)[:, None, :]  # (frame, 1, which unit vector)
        coefficients = self._temporal.forward(unit, (shift % 2**self._temporal.levels, 0))
        rows = [coefficients.coarse, *(band for _, band in coefficients.bands())]
        return torch.cat(rows, dim=-3)[:, 0].to(like)


def _complex(values: Tensor) -> Tensor:
    """View real (..., 2 * frame) as complex (..., frame)."""
    return torch.view_as_complex(values.view(*values.shape[:-1], -1, 2))


def principal_components(columns: Tensor, coupled: int = 1) -> Tensor:
    """Return the eigenvectors over frames of ``X^H X``, largest first: unitary, complex (batch, frame, mode).

    Of columns (batch, x, y, frame), of which so many as are ``coupled`` share a basis; the mean is not taken off, so the first
    component is close to it.
    """
    flat = columns.reshape(len(columns) // coupled, -1, columns.shape[-1])
    # Double precision on the CPU: a few numbers, and the same basis whatever the device.
    gram = (flat.mH @ flat).to("cpu", torch.complex128)
    vectors: Tensor = torch.linalg.eigh(gram)[1].flip(-1).repeat_interleave(coupled, 0)
    return vectors.to(columns.device, columns.dtype).contiguous()


MODELS.register(
    "l1_wavelet",
    ModelSpec(
        name="l1_wavelet",
        title="L1-wavelet",
        paper="Lustig et al., MRM 2007;58:1182",
        config=L1WaveletConfig,
        build=L1Wavelet,
        map_sets=2,
        presets={
            "default": L1WaveletConfig(),
            "space": L1WaveletConfig(temporal="none"),
            "space-time": L1WaveletConfig(temporal="wavelet"),
        },
        notes=("New random shifts of the wavelets in each iteration; the threshold scales itself to signal and noise.",),
    ),
)
