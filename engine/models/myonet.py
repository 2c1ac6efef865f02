"""Myonet: our own network, made for a machine without a GPU.

It begins where compressed sensing ends. The image of :class:`engine.models.l1_wavelet.L1Wavelet`, found with the same matrices in a
fraction of the time, is refined by a few cascades; each adds a correction, x_d = x + D_n(x), and solves the data term exactly,

    x <- argmin_x ||A x - b||^2 + ||x - x_d||^2_w = (A^H A + w)^-1 (A^H b + w x_d),

as MoDL does (Aggarwal, Mani, Jacob, IEEE TMI 2019, eqs. 8 and 9). The weight w is one number for the temporal mean of the image and
another for what moves: the mean is measured in every frame, so that its noise is less by their number, and it bears a smaller
weight. Where all frames share mask and coil maps the two parts are independent problems with the same Gram matrices, which are
factored once for each weight; where they do not, the second weight serves both.

D_n is a (2+1)D network at full resolution: 3 x 3 convolutions in the image, then a mixture of the three neighbouring frames by a
1 x 1 convolution, the last frame being followed by the first. It sees each frame as the mean and what differs from it, the features
of the cascade before, and w (A^H A + w)^-1 x: the part of the image that the data leave open, where the ghosts are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from engine.core.axes import KSPACE_FRAME
from engine.core.errors import InputError
from engine.core.jobs import Check
from engine.models.contract import MODELS, ModelSpec, ReconInput
from engine.models.parts import forms
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.start import check_start, wavelets
from engine.physics.operator import SenseOperator

CG_ITERATIONS, CG_TOLERANCE = 6, 1e-4  # where no Gram factor serves; each starts at the image before
STARTS = ("wavelet", "least_squares")
FIRST_WEIGHTS = (0.02, 0.14)  # of the mean and of what moves, before training
PIXELS = 512  # mixed at a time without gradients


@dataclass(frozen=True, slots=True)
class MyonetConfig:
    """Sizes of the network, and what it does without in ablations."""

    cascades: int = field(default=4, metadata={"help": "Cascades, each with its own denoiser", "range": (1, 30)})
    channels: int = field(default=32, metadata={"help": "Channels over the frames", "range": (2, 256)})
    blocks: int = field(default=3, metadata={"help": "(2+1)D blocks of each cascade", "range": (1, 12)})
    start: str = field(default="wavelet", metadata={"help": "Image that the first cascade refines", "choices": STARTS})
    two_weights: bool = field(default=True, metadata={"help": "Weight the temporal mean and what moves apart"})
    time: bool = field(default=True, metadata={"help": "Mix neighbouring frames (off: every frame on its own)"})
    open_part: bool = field(default=True, metadata={"help": "Show each cascade the part of the image that the data leave open"})
    memory: bool = field(default=True, metadata={"help": "Hand features from each cascade to the next"})

    def __post_init__(self) -> None:
        for name in ("cascades", "channels", "blocks"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} of myonet is out of range (expected at least 1 / found {getattr(self, name)})",
                    f"Choose a larger {name}.",
                )
        check_start(self.start, "myonet", STARTS)


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _parts(image: Tensor) -> Tensor:
    """Return complex (batch, frame, y, x) as real and imaginary part (batch, frame, 2, y, x), a view."""
    return torch.view_as_real(image).permute(0, 1, 4, 2, 3)


def _laid_out(features: Tensor) -> Tensor:
    """Return (map, channel, y, x) channels last in memory: a CPU convolves it three times as fast in bfloat16."""
    return features.contiguous(memory_format=torch.contiguous_format if forms.plain() else torch.channels_last)


class Mix(nn.Module):
    """Mixture of frames t - 1, t and t + 1, the same in every pixel; time is circular. Without ``time``, of t alone."""

    def __init__(self, channels: int, time: bool) -> None:
        super().__init__()
        self.product = nn.Linear(channels, 3 * channels if time else channels)
        self.time = time

    def forward(self, features: Tensor, frames: int) -> Tensor:
        """Mix (batch * frame, channel, y, x)."""
        rows = _rows(features, frames)
        mixed = self.product(rows)
        if self.time:
            now, to_next, to_last = mixed.chunk(3, dim=-1)
            mixed = now + to_next.roll(1, 1) + to_last.roll(-1, 1)
        mixture: Tensor = mixed.reshape(*features.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2)
        return mixture

    def add_to(self, features: Tensor, inner: Tensor, frames: int) -> None:
        """Add the mixture of ``inner`` to ``features``, both channels last, in place: a few pixels at a time stay in the cache."""
        into, rows = _rows(features, frames), _rows(inner, frames)
        for first in range(0, rows.shape[2], PIXELS):
            part = into[:, :, first : first + PIXELS]
            mixed = self.product(rows[:, :, first : first + PIXELS])
            if not self.time:
                part += mixed
                continue
            now, to_next, to_last = mixed.chunk(3, dim=-1)
            part += now
            part[:, 1:] += to_next[:, :-1]
            part[:, 0] += to_next[:, -1]
            part[:, :-1] += to_last[:, 1:]
            part[:, -1] += to_last[:, 0]


def _rows(features: Tensor, frames: int) -> Tensor:
    """Return (batch * frame, channel, y, x) as (batch, frame, pixel, channel), a view where the channels are last in memory."""
    n, c, h, w = features.shape
    return features.permute(0, 2, 3, 1).reshape(n // frames, frames, h * w, c)


class Block(nn.Module):
    """(2+1)D residual block: convolution in the image, ReLU, mixture over time."""

    def __init__(self, channels: int, time: bool) -> None:
        super().__init__()
        self.space = _conv(channels, channels)
        self.mix = Mix(channels, time)

    def forward(self, features: Tensor, frames: int) -> Tensor:
        """Return features of the same shape (batch * frame, channel, y, x); without gradients, the same memory."""
        inner = torch.relu_(self.space(features))
        if torch.is_grad_enabled() or forms.plain() or features.device.type != "cpu":
            mixed: Tensor = features + self.mix(inner, frames)
            return mixed
        self.mix.add_to(features, inner, frames)
        return features


class Denoiser(nn.Module):
    """D_n: from an image and what the cascade before knew to a correction of the image, and what this one knows.

    What is known at first is how the least-squares image differs from the one to be refined, real and imaginary part; then the
    features of the cascade before.
    """

    def __init__(self, config: MyonetConfig, first: bool) -> None:
        super().__init__()
        c = config.channels
        self.enter = _conv(6 if config.open_part else 4, c)
        self.recall = nn.Conv2d(2 if first else c, c, 3, padding=1, bias=False) if first or config.memory else None
        self.blocks = nn.ModuleList(Block(c, config.time) for _ in range(config.blocks))
        self.leave = _conv(c, 2)
        # A network that has learned nothing corrects nothing.
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    def kept_bytes(self, image: Tensor) -> float:
        """Return about how many bytes a backward pass keeps: five maps a channel of each block, and a few around them."""
        maps = (5 * len(self.blocks) + 4) * self.enter.out_channels
        return float(image.element_size() / 2 * image.numel() * maps)

    def forward(self, image: Tensor, left_open: Tensor | None, check: Check, known: Tensor) -> tuple[Tensor, Tensor]:
        """Return the correction, complex (batch, frame, y, x), and what is known now (batch * frame, channel, y, x)."""
        batch, frames = image.shape[:2]
        parts = _parts(image)
        mean = parts.mean(1, keepdim=True)
        entering = [parts - mean, mean.expand_as(parts)]
        if left_open is not None:
            entering.append(_parts(left_open))
        # In single precision: what is wrong with an image can be less than the 0.4 % that bfloat16 rounds it by.
        with torch.autocast(image.device.type, enabled=False):
            features = self.enter(_laid_out(torch.cat(entering, dim=2).flatten(0, 1)))
        if torch.is_autocast_enabled(image.device.type):
            features = features.to(torch.get_autocast_dtype(image.device.type))
        if self.recall is not None:
            features = features + self.recall(_laid_out(known))
        features = torch.relu_(features)
        for block in self.blocks:
            check()
            features = block(features, frames)
        features = torch.relu(features)
        correction = self.leave(features).unflatten(0, (batch, frames)).to(parts.dtype)
        return torch.view_as_complex(correction.permute(0, 1, 3, 4, 2).contiguous()), features


class ExactStep:
    """The exact step of the data term, with its weights (mean, rest), a tensor of two."""

    def __init__(self, data: ReconInput, weights: Tensor, two_weights: bool) -> None:
        self._operator, self._weights, self._check = data.operator, weights, data.report.check
        self.projected = data.operator.adjoint(data.kspace)  # A^H b
        # With masks or maps that vary the mean and the rest are no problems of their own.
        static = data.operator.static_mask and data.operator.maps.shape[KSPACE_FRAME] == 1
        self._apart = two_weights and static and self.projected.shape[1] > 1
        self._mean_operator = data.operator.with_own_factors(self._check) if self._apart else data.operator

    def __call__(self, prior: Tensor) -> Tensor:
        """Return the image nearest to the data and to ``prior``, complex (batch, frame, y, x)."""
        return self._step(self.projected, prior, self._weights)

    @torch.no_grad()
    def left_open(self, image: Tensor) -> Tensor:
        """Return ``w (A^H A + w)^-1 x``: nothing of what the data determine, all of what they do not. No gradient is taken."""
        return self._step(torch.zeros_like(self.projected), image, self._weights.detach())

    def _step(self, aimed: Tensor, prior: Tensor, weights: Tensor) -> Tensor:
        weight = weights[1]
        if not self._apart:
            return self._solve(self._operator, aimed, prior, weight)
        mean, prior_mean = aimed.mean(1, keepdim=True), prior.mean(1, keepdim=True)
        rest = self._solve(self._operator, aimed - mean, prior - prior_mean, weight)
        return rest + self._solve(self._mean_operator, mean, prior_mean, weights[0])

    def _solve(self, operator: SenseOperator, aimed: Tensor, prior: Tensor, weight: Tensor) -> Tensor:
        return operator.solve(aimed + weight * prior, weight, prior, CG_ITERATIONS, CG_TOLERANCE, self._check)

    @torch.no_grad()
    def least_squares(self) -> Tensor:
        """Return the regularised least-squares image, the same weight for all of it."""
        weight = self._weights[1].detach()
        return self._operator.solve(self.projected, weight, self.projected, CG_ITERATIONS, CG_TOLERANCE, self._check)


class Myonet(nn.Module):
    """The network; see the module's text."""

    def __init__(self, config: MyonetConfig) -> None:
        super().__init__()
        self.config = config
        self.log_weights = nn.Parameter(torch.tensor(FIRST_WEIGHTS).log())
        self.denoisers = nn.ModuleList(Denoiser(config, first=n == 0) for n in range(config.cascades))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex64 (batch, frame, y, x)."""
        total = len(self.denoisers) + 1
        data.report.step(0, total, "start")
        step = ExactStep(data, self.log_weights.exp(), self.config.two_weights)
        plainest = step.least_squares()
        x = wavelets(data, data.report.part(0.0, 1 / total)) if self.config.start == "wavelet" else plainest
        known = _parts(plainest - x).flatten(0, 1)
        for n, denoiser in enumerate(self.denoisers):
            data.report.step(1 + n, total, f"cascade {n + 1} of {len(self.denoisers)}")
            assert isinstance(denoiser, Denoiser)
            left_open = step.left_open(x.detach()) if self.config.open_part else None
            work: Callable[[], tuple[Tensor, Tensor]] = partial(denoiser, x, left_open, data.report.check, known)
            correction, known = recomputed(work, denoiser.kept_bytes(x))
            denoised = x + correction
            x = step(denoised)
            data.stages(n, "image", x)
            data.stages(n, "denoised", denoised)
        return x


MODELS.register(
    "myonet",
    ModelSpec(
        name="myonet",
        title="Myonet",
        paper="This program's own network",
        config=MyonetConfig,
        build=Myonet,
        map_sets=2,
        presets={
            "small": MyonetConfig(),
            "wide": MyonetConfig(cascades=8, channels=64, blocks=4),
        },
        trainable=True,
        macs_shape="12x10x204x448",
        notes=(
            "Begins with the image of l1_wavelet, whose arithmetic the count of multiplications leaves out.",
            "Time is circular: the last frame is followed by the first one, in mapping series too.",
        ),
    ),
)
