"""State as text, for any front end: no terminal toolkit."""
