"""What outlives the process: servers, client ids and prompts, in a file of the user's own."""
