"""Session state as text for any front end: no terminal toolkit."""
