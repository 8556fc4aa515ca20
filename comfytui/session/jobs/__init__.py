"""The jobs of a server: the indexed map, and every change that is made to it."""
