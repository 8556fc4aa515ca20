"""How a server is reached: websockets, polling, the watchdog, and the proof of its identity."""
