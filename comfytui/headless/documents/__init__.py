"""The JSON documents that scripts and browsers get, described in `.github/docs/json.md`."""
