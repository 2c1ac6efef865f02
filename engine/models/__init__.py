"""Reconstruction methods, networks and classical ones: one file each, self-registering, behind one contract."""

from engine.models.contract import MODELS, MacRule, ModelSpec, ReconInput, StageSink

__all__ = ["MODELS", "MacRule", "ModelSpec", "ReconInput", "StageSink"]
