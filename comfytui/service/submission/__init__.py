"""Prompts on their way to a server, how they are cancelled, and how lost ones are recovered."""
