"""The Review workspace: undersample, reconstruct, compare. What it alone uses."""
