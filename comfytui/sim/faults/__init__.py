"""What goes wrong on the simulated server."""
