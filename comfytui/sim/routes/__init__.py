"""The HTTP routes of the simulated server."""
