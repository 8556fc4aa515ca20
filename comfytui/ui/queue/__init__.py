"""The queue panel and its list."""
