"""Sending prompts to a server, cancelling them, and recovering those that it lost."""
