"""Fault injection for the simulated server."""
