"""Why something cannot be used as a workflow."""


class WorkflowError(Exception):
    """A file or document is not a workflow; the message is one sentence that says what to do."""
