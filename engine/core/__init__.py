"""Vocabulary of the engine: axes, records, errors, jobs, registries, devices, provenance. No torch except in ``device``."""
