"""The websocket of one client id: connecting, reading within limits, measuring the delay."""
