"""Connects to one server: websockets, polling, the watchdog, and the verification of its identity."""
