"""The session of one server, kept true in a thread of its own."""
