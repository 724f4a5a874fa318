"""Motion mathematics on skeletons and arrays; no sockets, no models."""
