"""From a request to a reconstruction: mask, scale, coil maps, method, scale back, provenance."""
