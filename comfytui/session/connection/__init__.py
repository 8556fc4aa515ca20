"""The connection to one server as a state machine without I/O: `machine.step` takes what happened, says what to do."""
