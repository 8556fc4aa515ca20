"""The dashboard of one server, and what its keys do."""
