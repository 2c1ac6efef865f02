"""Reconstruction methods, networks and classical ones: one file each, self-registering, behind one contract."""

from engine.models.contract import MODELS, ModelSpec, ReconInput, StageSink

__all__ = ["MODELS", "ModelSpec", "ReconInput", "StageSink"]
