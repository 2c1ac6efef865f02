"""Training data: sources of series, augmentation, simulated acquisition, undersampled examples. Every draw depends on a seed only."""
