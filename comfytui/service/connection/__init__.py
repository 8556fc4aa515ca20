"""Carries out what the connection to one server wants: opens sockets, polls, and reads who the server is."""
