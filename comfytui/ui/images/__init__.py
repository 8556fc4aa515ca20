"""Pictures as cells: decoded in a process of their own, painted within a budget of bytes."""
