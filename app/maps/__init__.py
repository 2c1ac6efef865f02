"""The Maps workspace: T1 and T2 maps, curves, segments. What it alone uses."""
