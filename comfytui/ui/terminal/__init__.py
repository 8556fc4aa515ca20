"""The terminal: its driver, the order of its keys, filters on what is written to it, and leaving it in time."""
