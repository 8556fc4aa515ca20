"""What the commands for scripts do; the command line calls them."""
