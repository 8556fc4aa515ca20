"""The websocket of one client id: connecting, receiving within limits, measuring lag."""
