"""Servers, client ids and prompts that outlive the process, in a SQLite file of the user's own."""
