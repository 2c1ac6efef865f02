"""The second term of IMA's loss: the image is held near what the mapping from the other sequence gives."""

from __future__ import annotations

from torch import Tensor

from engine.core.errors import InputError
from engine.losses.contract import LOSSES, Loss, LossInput
from engine.losses.parts import modulus

STAGE = "mapping"


def compute(data: LossInput) -> Tensor:
    """Return the mean of |X_out - (A(Y) + B(Y~))| over pixels and frames, the last stage's; published weight 0.5.

    Raises
    ------
    InputError
        The network does not report the mapping.
    """
    found = data.stages.get(STAGE)
    if not found:
        raise InputError("losses.mapping needs the mapping that only model.network = ima reports (found none)", "Leave it out.")
    return modulus(data.image - found[-1]).mean()


LOSSES.register(
    STAGE,
    Loss(
        STAGE,
        "Image near the mapping of the reference",
        compute,
        needs_target=False,
        source="IMA, eq. 25",
        needs_phase=True,
        of_image=False,
        networks=("ima",),
    ),
)
