"""The truth about one server: pure values, and the reducer that changes them."""
