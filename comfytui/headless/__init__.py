"""The session with one server without a screen: for scripts, browsers and other programs."""
