"""Display logic without Qt: view state and session snapshot to frozen frames, colour rules, windows."""
