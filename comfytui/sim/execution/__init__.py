"""Validation and execution of prompts on the simulated server."""
