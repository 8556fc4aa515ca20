"""Images as terminal cells: decoded in a separate process, painted within a bandwidth budget."""
