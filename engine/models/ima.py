"""IMA: information-coupled MRI acceleration, an unfolding network that is led by a fully sampled reference sequence.

Source: J. Zheng, X. Yao, G. Shen, W. Li, J. Jiang, "Breaking Information Isolation: Accelerating MRI via Inter-sequence Mapping and
Progressive Masking", AAAI 2025: eqs. (15) to (22), fig. 2, table 2. Its code is not public.

What the paper leaves open is chosen so that its table 2 comes out: X, Y, Y~ and G have 32 channels each (it says c < C without
numbers), images are repeated to these channels, as the program of MC-VarNet does, and the result is the mean of X over them. Six
blocks of two 3 x 3 convolutions a stage are 1,331,712 parameters (1.33 M); seven of them are evaluated a stage and one before the
first: 103.03 G multiply-accumulates at 256 x 256 (103.28). With the attention 1,531,932 parameters (1.53 M) and 107.78 G (107.92).

Deviation: eq. (20) prints Y~ where eq. (13), which it rewrites, has Y~B: B is kept. CSCA(Y, G) is the pixel-wise ``A'(Y) - G``
of eq. (13), with an operator of its own, plus the attention; without CSCA the attention is left out. Eq. (18) prints K^(t-1); as
it "ensures that the known regions remain unchanged", K is that of the stage's input X^(t) here. Stages count from 1, so that the
last one has the mask it began with. Y~ starts as B^T(X - Y) of the first stage: what the reference does not explain. alpha is kept
positive by a ReLU. The paper's images are real-valued and of one coil (``complex_images`` off; of F^-1 the real part is taken, the
adjoint of F on real images). Complex images of several coils are our extension: half of the channels hold real parts, half
imaginary parts, F is the full Fourier transform of every coil, and eqs. (15), (18), (19) hold for the k-space of the coils.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from engine.core.axes import COIL, KX
from engine.core.errors import InputError
from engine.core.jobs import Check
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.parts import forms
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.csca import CSCA
from engine.models.parts.dilating_mask import KERNELS, dilating_masks
from engine.models.parts.frames import by_frames
from engine.models.parts.lifted import ConvPair, Lifted, one_mask, reference_of, require_single_coil, serves_any_frame, with_masks
from engine.models.parts.sizes import require_least
from engine.models.parts.start import START_HELP, START_NOTE, STARTS, check_start, start_near_zero, with_first_image
from engine.physics.operator import SenseOperator

# The pull towards G before training: at first the reference knows less than compressed sensing.
FIRST_ALPHA = {"zero_filled": 0.5, "wavelet": 0.05}


@dataclass(frozen=True, slots=True)
class ImaConfig:
    """Sizes of the network and of its masks; symbols as in the paper."""

    stages: int = field(default=12, metadata={"help": "Number of stages T, each with its own parameters", "range": (1, 50)})
    channels: int = field(default=32, metadata={"help": "Channels of X, Y, Y~ and G", "range": (2, 256)})
    csca: bool = field(default=True, metadata={"help": "Cross-sequence converging attention"})
    heads: int = field(default=4, metadata={"help": "Heads of the attention", "range": (1, 32)})
    dcm: bool = field(default=True, metadata={"help": "Dilation-contraction masking"})
    kernel: int = field(default=1, metadata={"help": "Diffusion kernel of the mask", "choices": tuple(KERNELS)})
    delta: float = field(default=3.0, metadata={"help": "Threshold delta of the diffusion"})
    ratio: float = field(default=0.9, metadata={"help": "Largest share of known samples at which the mask still grows"})
    complex_images: bool = field(
        default=True,
        metadata={"help": "Complex images of any number of coils; off: real-valued images of one coil, as in the paper"},
    )

    start: str = field(default="zero_filled", metadata={"help": START_HELP, "choices": STARTS})

    def __post_init__(self) -> None:
        check_start(self.start, "ima")
        hint = "The paper has 12 stages; 32 channels and 4 heads give its parameters."
        require_least(self, "ima", hint, stages=1, channels=2 if self.complex_images else 1, heads=1)
        if self.channels % (2 if self.complex_images else 1) or (self.csca and self.channels % self.heads):
            raise InputError(
                f"{self.channels} channels of ima cannot be shared out (expected a multiple of {self.heads} heads"
                f"{', even for real and imaginary parts' if self.complex_images else ''})",
                "Use 32 channels and 4 heads.",
            )
        if self.kernel not in KERNELS:
            raise InputError(
                f"ima has no diffusion kernel {self.kernel} (expected one of {', '.join(map(str, KERNELS))})", "Use 1."
            )
        if not (self.delta > 0 and 0 <= self.ratio <= 1):
            raise InputError(
                f"delta must be positive and ratio from 0 to 1 (found {self.delta:g} and {self.ratio:g})",
                "Use delta=3 and ratio=0.9.",
            )


class Stage(nn.Module):
    """One stage: X by eqs. (15), (18), (19), Y~ by eq. (20), G by eq. (22)."""

    def __init__(self, config: ImaConfig) -> None:
        super().__init__()
        c = config.channels
        self.R1, self.R2, self.Bt, self.A, self.B, self.A_prime = (ConvPair(c) for _ in range(6))
        self.csca = CSCA(c, config.heads) if config.csca else None
        alpha = FIRST_ALPHA[config.start]
        self.mu, self.alpha, self.beta = (nn.Parameter(torch.full((), value)) for value in (0.5, alpha, 0.5))
        self.lambda1, self.lambda2 = (nn.Parameter(torch.full((), 0.1)) for _ in range(2))
        start_near_zero(config.start, (self.R1[-1],))

    def update_x(self, X: Tensor, G: Tensor, lifted: Lifted, spread: SenseOperator | None, check: Check) -> Tensor:
        """Return the next X; ``spread`` has this stage's mask M_t in place of M_0 (None: no masking)."""
        mu, alpha = self.mu, torch.relu(self.alpha)
        k = lifted.to_complex(X)
        gradient = lifted.to_features(lifted.normal(k) - lifted.zero_filled)
        check()
        x_temp = X - mu * gradient - mu * (alpha * (X - G) + self.lambda1 * self.R1(X))  # eq. (15)
        check()
        k_temp = lifted.to_complex(x_temp)
        if spread is not None:
            # S^H F^-1 [(1 - M_t) F S x_temp + M_t F S x], eq. (18)
            k_temp = lifted.energy * k_temp - lifted.normal(k_temp - k, spread)
            check()
        return lifted.to_features(lifted.fill(k_temp))  # eq. (19)

    def update_y(self, Y_tilde: Tensor, G: Tensor, Y: Tensor, check: Check) -> Tensor:
        """Return the next Y~, eq. (20)."""
        mapped = self.A_prime(Y) - G
        check()
        if self.csca is not None:
            mapped = mapped + self.csca(Y, G)
        mapped = mapped + self.B(Y_tilde)
        check()
        renewed: Tensor = Y_tilde - self.beta * (self.Bt(mapped) + self.lambda2 * self.R2(Y_tilde))
        return renewed

    def update_g(self, X: Tensor, Y_tilde: Tensor, Y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next G, eq. (22), and ``A(Y) + B(Y~)`` in it."""
        alpha = torch.relu(self.alpha)
        mapping = self.A(Y) + self.B(Y_tilde)
        return (mapping + alpha * X) / (1 + alpha), mapping

    def forward(
        self,
        X: Tensor,
        Y_tilde: Tensor,
        G: Tensor,
        Y: Tensor,
        lifted: Lifted,
        spread: SenseOperator | None,
        last: bool,
        check: Check,
    ) -> tuple[Tensor, ...]:
        """Return the next X, and unless it is the ``last`` that is asked for, the next Y~, G and ``A(Y) + B(Y~)``."""
        X = self.update_x(X, G, lifted, spread, check)
        if last:
            return (X,)
        check()
        Y_tilde = self.update_y(Y_tilde, G, Y, check)
        check()
        return X, Y_tilde, *self.update_g(X, Y_tilde, Y)


class Ima(nn.Module):
    """The network; every frame by itself, with the dilations of its own mask.

    Stages: ``"image"`` (X), ``"mask"`` (M_t, real (batch, frame, ky, kx)), ``"g"`` (G), ``"auxiliary"`` (Y~) and ``"mapping"``
    (A(Y) + B(Y~)); images are the mean over the channels. The second term of the loss, eq. (25), compares the last image with the
    last mapping, both as images. Nothing else reads the last Y~ and G: they are left out where nobody asks for stages, and the
    parameters that make them learn from that term only (``without_effect`` on the image).
    """

    def __init__(self, config: ImaConfig) -> None:
        super().__init__()
        self.config = config
        self.unfolding = nn.ModuleList(Stage(config) for _ in range(config.stages))
        parts = tuple(
            f"unfolding.{config.stages - 1}.{part}" for part in ("R2.", "Bt.", "A.", "B.", "A_prime.", "csca.", "beta", "lambda2")
        )
        self.without_effect = tuple(name for name, _ in self.named_parameters() if name.startswith(parts))

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        if not self.config.complex_images:
            require_single_coil(data, "ima")
        data = with_first_image(self.config.start, data)
        operator = one_mask(data.operator)
        data = dataclasses.replace(data, operator=operator, reference=reference_of(data, "ima"))
        shared = self._operators(operator, data.report.check) if serves_any_frame(operator) else None
        return by_frames(data, partial(self._unfold, shared=shared))

    def _operators(self, operator: SenseOperator, check: Check) -> list[SenseOperator]:
        """Return the operators of M_0 .. M_T for every channel."""
        config = self.config
        masks = [operator.mask]
        if config.dcm:
            dilated = dilating_masks(operator.mask, config.stages, config.kernel, config.delta, config.ratio)
            masks = [operator.mask if mask is dilated[0] else mask for mask in dilated]
        return with_masks(operator, masks, config.channels // 2 if config.complex_images else config.channels, check)

    def _unfold(self, data: ReconInput, shared: list[SenseOperator] | None) -> Tensor:
        """Run all stages on some frames; the operators are made for them unless they serve any frame."""
        config, check, total = self.config, data.report.check, self.config.stages
        operators = shared or self._operators(data.operator, check)
        assert data.reference is not None
        lifted = Lifted(data, config.channels, config.complex_images, operators[0])
        Y = lifted.lift(data.reference)
        X = G = lifted.start
        Y_tilde = cast("Stage", self.unfolding[0]).Bt(X - Y)
        unread = data.stages is no_stages and not torch.is_grad_enabled() and not forms.plain()
        for index, stage in enumerate(self.unfolding):
            data.report.step(index, total, f"IMA stage {index + 1}")
            spread = operators[index + 1] if config.dcm else None
            step = partial(stage, X, Y_tilde, G, Y, lifted, spread, unread and index == total - 1, check)
            X, *others = recomputed(step, 24.0 * X.numel() * X.element_size())
            image = lifted.lower(X)
            data.stages(index, "image", image)
            if others:
                Y_tilde, G, mapping = others
                for part, features in (("g", G), ("auxiliary", Y_tilde), ("mapping", mapping)):
                    data.stages(index, part, lifted.lower(features))
                data.stages(index, "mask", _shown(spread or lifted.operator, lifted))
        data.report.step(total, total, "IMA")
        return image


def _shown(operator: SenseOperator, lifted: Lifted) -> Tensor:
    """Return the mask as real (batch, frame, ky, kx)."""
    mask = operator.mask.squeeze(COIL)
    mask = mask if mask.shape[1] == 1 else mask[:, :: lifted.groups]
    return mask.to(torch.float32).expand(lifted.batch, lifted.frames, -1, lifted.start.shape[KX])


MODELS.register(
    "ima",
    ModelSpec(
        name="ima",
        title="IMA",
        paper="Zheng, Yao, Shen, Li, Jiang: Breaking Information Isolation: Accelerating MRI via Inter-sequence Mapping and "
        "Progressive Masking, AAAI 2025",
        config=ImaConfig,
        build=Ima,
        presets={
            "paper": ImaConfig(),
            "paper-real": ImaConfig(complex_images=False),
            "without-csca": ImaConfig(csca=False),
            "small": ImaConfig(stages=4, channels=16, heads=2),
            "light": ImaConfig(stages=8, channels=8, heads=2),
            "light-wavelet": ImaConfig(stages=8, channels=8, heads=2, start="wavelet"),
        },
        trainable=True,
        paper_macs=107.92e9,
        macs_shape="1x1x256x256",
        macs_counting="Convolutions with their bias and the products of the attention; the paper does not say how it counts.",
        macs_rule=MacRule(bias=True, matmul=True),
        needs_reference=True,
        notes=(
            START_NOTE,
            "Needs a second, fully sampled sequence of the same anatomy; the temporal mean of the series stands in for it, which "
            "the paper does not do.",
            "The paper has real-valued images of one coil (preset paper-real); complex images of several coils are our extension "
            "with the same layers.",
            "Where the paper leaves sizes, attention and kernels open they are chosen to give its parameters and "
            "multiply-accumulates.",
        ),
    ),
)
