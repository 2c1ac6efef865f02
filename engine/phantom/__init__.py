"""A beating numerical heart and its acquisition, and simulated k-space from magnitude images."""
