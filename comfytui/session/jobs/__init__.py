"""The jobs of a server: the indexed job map, and every change to it."""
