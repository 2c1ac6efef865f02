"""VN-UNet-relax: VN-UNet trained so that its images obey the signal model of relaxation.

Source: Y. Zhao, Y. Zhang, Q. Tao, "Relaxometry Guided Quantitative Cardiac Magnetic Resonance Image Reconstruction", STACOM 2023,
section 2.2, eqs. (9), (10) and (13).

The network is :class:`engine.models.vn_unet.VNUNet` to the last parameter; what differs is how it learns: a mapping network M
(:class:`engine.models.parts.mapping.MappingNetwork`), trained before on fully sampled images alone and then frozen, tells how far
the reconstructed images are from any relaxation curve (10), and how far their parameter maps are from those of the truth (13).
M takes no part in a reconstruction, so it is not in these weights; it serves by itself as an estimator of parameter maps. Weights
of the two methods have the same shapes and are told apart by their cards.
"""

from __future__ import annotations

from engine.models.contract import MODELS, MacRule, ModelSpec
from engine.models.vn_unet import NOTES, PAPER, PRESETS, VNUNet, VNUNetConfig, frames_of

MODELS.register(
    "vn_unet_relax",
    ModelSpec(
        name="vn_unet_relax",
        title="VN-UNet-relax",
        paper=PAPER,
        config=VNUNetConfig,
        build=VNUNet,
        presets=PRESETS,
        kinds=("molli", "t2prep"),
        trainable=True,
        macs_shape="9x10x144x512",
        macs_counting="Convolutions without their bias; the paper gives no figure.",
        macs_rule=MacRule(without=("sensitivity",)),
        frames=frames_of,
        normalise="kspace_p99_all",
        notes=(
            "The same network as vn_unet, trained with the relaxometry terms of eqs. (10) and (13) and a frozen mapping network.",
            "The mapping network is not part of these weights and not needed to reconstruct.",
            *NOTES,
        ),
    ),
)
