"""The names of the commands, which no server of the config file can have."""

COMMANDS = {
    "run": "Make images, and wait for them.",
    "wait": "Wait until jobs have ended, and tell how they did.",
    "watch": "Write one line for each change, until ctrl+c.",
    "status": "Show once what a server does, and how far your batches are.",
    "cancel": "Cancel jobs, waiting or running.",
    "convert": "Write workflows of ComfyUI's editor in the API format.",
    "relay": "Show the jobs of a server to browsers and other programs.",
    "config": "Show the configuration, and where each value comes from.",
    "completion": "Print the script that completes the command line in a shell.",
    "demo": "Open the dashboard of a simulated server, without a GPU.",
    "sim": "Run only the simulated server.",
}
"""Each command with its line in the help; the command is the function of that name in the module of `cli` named so."""
PLANNED_COMMANDS = (
    frozenset({"run", "wait", "watch", "status", "cancel", "relay", "doctor", "worker", "config", "completion"})
    - COMMANDS.keys()
)
"""Names that are reserved for later commands."""
