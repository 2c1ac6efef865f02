"""Loss terms: one file for each term, self-registering."""

from engine.losses.contract import LOSSES, Loss, LossInput

__all__ = ["LOSSES", "Loss", "LossInput"]
