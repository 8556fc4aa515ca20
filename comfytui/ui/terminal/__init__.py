"""The terminal: its driver, filters on what is written to it, and leaving it in time."""
