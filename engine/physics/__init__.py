"""Physics of the acquisition: Fourier, coils, SENSE and Gram operators, coil maps, scaling, solvers. Knows no networks."""
