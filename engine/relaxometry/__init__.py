"""T1 and T2 from series of images: signal models, the fit of all pixels at once, its uncertainty, and what maps are read for."""
