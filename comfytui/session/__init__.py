"""State of one server as immutable values, and the reducer that changes it. No I/O."""
