"""The names of the commands, which no server of the config file can have."""

COMMANDS = {
    "completion": "Print the script that completes the command line in a shell.",
    "config": "Show the configuration, and where each value comes from.",
    "wait": "Wait until jobs have ended, and tell how they did.",
    "watch": "Write one line for each change, until ctrl+c.",
    "cancel": "Cancel jobs, waiting or running.",
    "status": "Show once what a server does, and how far your batches are.",
    "demo": "Open the dashboard of a simulated server, without a GPU.",
    "relay": "Show the jobs of a server to browsers and other programs.",
    "sim": "Run only the simulated server.",
    "run": "Make images, and wait for them.",
}
"""Each command with its line in the help; the command is the function of that name in the module of `cli` named so."""
PLANNED_COMMANDS = (
    frozenset({"run", "wait", "watch", "status", "cancel", "relay", "doctor", "worker", "config", "completion"})
    - COMMANDS.keys()
)
"""Names that are reserved for later commands."""
