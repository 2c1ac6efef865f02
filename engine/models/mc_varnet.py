"""MC-VarNet: a variational network that splits a reference sequence into what it shares with the target and what is its own.

Source: P. Lei, F. Fang, G. Zhang, T. Zeng, "Decomposition-Based Variational Network for Multi-Contrast MRI Super-Resolution and
Reconstruction", ICCV 2023, in the form of its authors' program (lpcccc-cv/MC-VarNet, MIT), whose figures IMA quotes: its facts, not
its code.

Images are repeated over 32 channels. X is the target, C the component it shares with the reference Y, U what is the reference's
own; P and Q are their denoised copies. All weights are shared by the iterations. As in the program, each U-Net has a last
down-sampling and an activation that nothing reads, and there is a second read-out (of the reference): they belong to the
1,387,493 parameters and are named in ``without_effect``.

Deviation: the program keeps its step sizes in plain lists, so they were neither trained nor saved, though the paper learns them.
Here they are part of the state, constant unless ``learn_steps`` is on, which adds 24 parameters (mu_c is not used and left out).
The program's images are real-valued and of one coil, and only the left half of the spectrum is read on the way back
(``complex_images`` off: the same for even sizes, and right for odd ones as well). Complex images of several coils are our
extension: half of the channels hold real parts, half imaginary parts, the full Fourier transform of every coil serves data
consistency, and the two read-outs give real and imaginary part.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from engine.core.axes import COIL, KX, KY
from engine.core.errors import InputError
from engine.core.jobs import Check
from engine.models.blocks import pairs_to_complex
from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, no_stages
from engine.models.parts import forms
from engine.models.parts.checkpointing import recomputed
from engine.models.parts.frames import by_frames
from engine.models.parts.lifted import ConvPair, Lifted, one_mask, per_channel, reference_of, require_single_coil, serves_any_frame
from engine.models.parts.prelu_unet import UNREAD, UNet
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator

STEPS = {"mu_x": 0.1, "lambda_1": 1.0, "gamma_x": 1.0, "gamma_c": 1.0, "alpha": 1.0, "beta": 1.0}


# Iterations that it takes until an update of the reference's components reaches X.
FIRST_EFFECT = {"T_c": 2, "D_c": 2, "gamma_c": 2, "alpha": 2, "denoise_c": 3, "beta": 3, "denoise_u": 4}


@dataclass(frozen=True, slots=True)
class McVarNetConfig:
    """Sizes of the network."""

    iterations: int = field(default=4, metadata={"help": "Number of iterations, weights shared", "range": (1, 20)})
    channels: int = field(default=32, metadata={"help": "Channels of all features", "range": (2, 256)})
    learn_steps: bool = field(default=False, metadata={"help": "Learn the step sizes, as the paper says and its program does not"})
    complex_images: bool = field(
        default=True, metadata={"help": "Complex images of any number of coils; off: real-valued images of one coil, as published"}
    )

    def __post_init__(self) -> None:
        even = 2 if self.complex_images else 1
        if self.iterations < 1 or self.channels < even or self.channels % even:
            raise InputError(
                f"mc_varnet cannot have {self.iterations} iterations of {self.channels} channels (expected at least 1 and "
                f"{'an even number' if self.complex_images else 'at least 1'})",
                "The paper has 4 iterations of 32 channels.",
            )


class HalfSpectrum(Lifted):
    """The measurement of real-valued images of one coil as the published program sees it.

    Inverse transforms read the left half of the centred spectrum only, which is all that a real image has. The coil's map is not
    used: a magnitude image has none.
    """

    def __init__(self, data: ReconInput, channels: int, operator: SenseOperator) -> None:
        super().__init__(data, channels, complex_images=False, operator=operator)
        mask = data.operator.mask.squeeze(COIL).expand(self.batch, self.frames, -1, -1)
        self.unmeasured = 1 - mask.reshape(-1, 1, *mask.shape[-2:]).to(data.kspace.real.dtype)
        image = _half_inverse(data.kspace.squeeze(COIL))
        self.set_start(torch.complex(image, torch.zeros_like(image)))
        self.spectrum = fft2c(self.zero_filled)

    def consistent(self, features: Tensor) -> Tensor:
        """Return features with what was measured in the place of their measured samples."""
        return _half_inverse(self.spectrum + self.unmeasured * fft2c(self.to_complex(features)))


def _half_inverse(spectrum: Tensor) -> Tensor:
    """Return the real image (..., y, x) of the left half of a centred spectrum."""
    axes = (KY, KX)
    size = [spectrum.shape[KY], spectrum.shape[KX]]
    image = torch.fft.irfft2(torch.fft.ifftshift(spectrum, dim=axes), s=size, norm="ortho")
    result: Tensor = torch.fft.fftshift(image, dim=axes)
    return result


class McVarNet(nn.Module):
    """The network; every frame by itself.

    Stages: ``"image"`` (read out of X), ``"common"`` (C), ``"unique"`` (U), complex (batch, frame, y, x), and
    ``"data_consistent"``, the features of X after data consistency, real (batch, frame, channel, y, x).
    """

    mu_x: Tensor
    lambda_1: Tensor
    gamma_x: Tensor
    gamma_c: Tensor
    alpha: Tensor
    beta: Tensor

    def __init__(self, config: McVarNetConfig) -> None:
        super().__init__()
        self.config = config
        c = config.channels
        self.init_x, self.init_c, self.denoise_x, self.denoise_c, self.denoise_u = (UNet(c) for _ in range(5))
        self.D_x, self.E_x, self.D_c, self.E_c, self.T_c = (ConvPair(c) for _ in range(5))
        self.readouts = nn.ModuleList(nn.Conv2d(c, 1, 3, padding=1) for _ in range(2))
        for name, value in STEPS.items():
            steps = torch.full((config.iterations,), value)
            if config.learn_steps:
                self.register_parameter(name, nn.Parameter(steps))
            else:
                self.register_buffer(name, steps)
        self.without_effect = tuple(name for name, _ in self.named_parameters() if self._is_unread(name))

    def _is_unread(self, name: str) -> bool:
        owner, _, part = name.partition(".")
        if part.startswith(UNREAD) or self.config.iterations < FIRST_EFFECT.get(owner, 1):
            return True
        return owner == "readouts" and part.startswith("1.") and not self.config.complex_images

    def forward(self, data: ReconInput) -> Tensor:
        """Return the image, complex (batch, frame, y, x)."""
        if not self.config.complex_images:
            require_single_coil(data, "mc_varnet")
        operator = one_mask(data.operator)
        data = dataclasses.replace(data, operator=operator, reference=reference_of(data, "mc_varnet"))
        if self.config.complex_images and serves_any_frame(operator) and not forms.plain():
            operator.prepare(data.report.check)
        return by_frames(data, self._iterate)

    def _lifted(self, data: ReconInput) -> Lifted:
        config = self.config
        if not config.complex_images:
            return HalfSpectrum(data, config.channels, data.operator)
        operator = per_channel(data.operator, config.channels // 2)
        if not forms.plain():
            operator.prepare(data.report.check)
        return Lifted(data, config.channels, complex_images=True, operator=operator)

    def _iterate(self, data: ReconInput) -> Tensor:
        """Run all iterations on some frames."""
        check, total = data.report.check, self.config.iterations
        lifted = self._lifted(data)
        assert data.reference is not None
        data.report.step(0, total + 1, "MC-VarNet")
        y = lifted.lift(data.reference)
        x = self.init_x(lifted.start, check)
        c = P = self.init_c(y, check)
        u = Q = y - c
        kept = 60.0 * x.numel() * x.element_size()
        for i in range(total):
            data.report.step(i + 1, total + 1, "MC-VarNet")
            consistent = lifted.consistent(x)
            check()
            codes = self.E_x(x)
            stepped = recomputed(partial(self._update_x, i, x, consistent, codes, c, check), kept)
            if i < total - 1:
                if forms.plain():
                    codes = self.E_x(x)  # a second time, as published
                c, u, P, Q = recomputed(partial(self._update_reference, i, y, codes, c, u, P, Q, check), kept)
            x = stepped
            if i == total - 1 or data.stages is not no_stages:
                image = self._read_out(x, lifted)
                data.stages(i, "image", image)
                data.stages(i, "common", lifted.lower(c))
                data.stages(i, "unique", lifted.lower(u))
                data.stages(i, "data_consistent", consistent.reshape(lifted.batch, lifted.frames, *consistent.shape[1:]))
        data.report.step(total + 1, total + 1, "MC-VarNet")
        return image

    def _update_x(self, i: int, x: Tensor, consistent: Tensor, codes: Tensor, c: Tensor, check: Check) -> Tensor:
        """Return the next X: data consistency, then a step towards dictionary and denoiser."""
        refined = self.gamma_x[i] * self.D_x(codes - self.E_c(c))
        check()
        stepped: Tensor = consistent - self.mu_x[i] * (refined + self.lambda_1[i] * self.denoise_x(x, check))
        return stepped

    def _update_reference(
        self, i: int, y: Tensor, codes: Tensor, c: Tensor, u: Tensor, P: Tensor, Q: Tensor, check: Check
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the next C, U, P and Q."""
        renewed = self.T_c(y - u + self.gamma_c[i] * self.D_c(codes) + self.alpha[i] * P)
        check()
        unique = (y + self.beta[i] * Q - c) / (1 + self.beta[i])
        return renewed, unique, self.denoise_c(renewed, check), self.denoise_u(unique, check)

    def _read_out(self, x: Tensor, lifted: Lifted) -> Tensor:
        """Return the image of features, complex (batch, frame, y, x)."""
        real = self.readouts[0](x)
        imaginary = self.readouts[1](x) if lifted.complex_images else torch.zeros_like(real)
        image = pairs_to_complex(torch.cat((real, imaginary), dim=1))
        return image.reshape(lifted.batch, lifted.frames, *image.shape[-2:])


MODELS.register(
    "mc_varnet",
    ModelSpec(
        name="mc_varnet",
        title="MC-VarNet",
        paper="Lei, Fang, Zhang, Zeng: Decomposition-Based Variational Network for Multi-Contrast MRI Super-Resolution and "
        "Reconstruction, ICCV 2023",
        config=McVarNetConfig,
        build=McVarNet,
        presets={
            "paper": McVarNetConfig(),
            "paper-real": McVarNetConfig(complex_images=False),
            "small": McVarNetConfig(channels=12),
        },
        trainable=True,
        macs_shape="1x1x256x256",
        macs_counting="Convolutions without bias, as the published program evaluates them; the paper gives no figure.",
        macs_rule=MacRule(),
        needs_reference=True,
        notes=(
            "Needs a second, fully sampled sequence of the same anatomy; the temporal mean of the series stands in for it, which "
            "the paper does not do.",
            "The published program has real-valued images of one coil and reads half of the spectrum (preset paper-real); complex "
            "images of several coils are our extension with the same layers.",
            "Step sizes are constant as in the published program; learn_steps trains them as the paper says.",
            "The last down-sampling and the last activation of each U-Net are kept, although nothing reads them, as published.",
        ),
    ),
)
