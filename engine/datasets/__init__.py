"""Training data: sources, augmentation, simulated acquisition, undersampled examples. Every draw depends on a seed only."""
