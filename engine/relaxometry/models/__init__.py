"""Signal models and mapping networks: one file for each family, each registers itself. None of them imports torch."""
