"""A frozen network: how to feed it, where to cut it, where it comes from."""
