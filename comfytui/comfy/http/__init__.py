"""HTTP requests to a server: limits, the `/api` prefix, cookies and content encodings."""
