"""The relay: an HTTP service that shows one server's jobs to browsers and other programs."""
