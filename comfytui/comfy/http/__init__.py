"""HTTP exchanges with a server: limits, `/api` prefix, cookies, content encodings."""
