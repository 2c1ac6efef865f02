"""The Train workspace: forms, runs, curves. What it alone uses."""
