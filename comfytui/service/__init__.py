"""The session with one server, in a thread of its own."""
