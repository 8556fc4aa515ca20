"""Submission of prompts, for `POST /prompt` and for the simulated other clients."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comfytui.sim.capabilities import Capabilities
from comfytui.sim.catalogue.node_types import NodeType
from comfytui.sim.execution.validate import validate_prompt
from comfytui.sim.files import Files
from comfytui.sim.logs import Logs
from comfytui.sim.queue import PromptQueue

SECRET_KEYS = ("auth_token_comfy_org", "api_key_comfy_org")

Response = tuple[int, dict[str, Any]]
"""HTTP status and JSON body."""


@dataclass(slots=True)
class Submissions:
    """Validates and numbers submitted prompts, and puts them into the queue."""

    queue: PromptQueue
    nodes: Mapping[str, NodeType]
    files: Files
    logs: Logs
    capabilities: Capabilities
    number: int = 0

    def submit(self, body: dict[str, Any]) -> Response:
        """Validate and queue one prompt.

        A malformed body raises whatever exception it causes, as in ComfyUI.
        """
        number = self._number(body)
        if "prompt" not in body:
            return _rejection("no_prompt", "No prompt provided", "No prompt provided")
        prompt_id = self._prompt_id(body)
        if prompt_id is None:
            details = "prompt_id must be a UUID string in canonical lowercase hyphenated form; "
            details += "omit it to let the server generate one"
            return _rejection("invalid_prompt_id", "prompt_id must be a valid UUID", details)
        graph = body["prompt"]
        result = validate_prompt(graph, self.nodes, self._has_file, body.get("partial_execution_targets"))
        if result.error is not None:
            self.logs.warning(f"invalid prompt: {result.error}")
            return 400, {"error": result.error, "node_errors": result.node_errors}
        extra_data = dict(body.get("extra_data", {}))
        if "client_id" in body:
            extra_data["client_id"] = body["client_id"]
        hidden = [key for key in SECRET_KEYS if key in extra_data and self.capabilities.hides_secrets]
        secrets = {key: extra_data.pop(key) for key in hidden}
        if self.capabilities.create_time:
            extra_data["create_time"] = int(time.time() * 1000)
        self.queue.put((number, prompt_id, graph, extra_data, list(result.outputs), secrets))
        return 200, {"prompt_id": prompt_id, "number": number, "node_errors": result.node_errors}

    def _prompt_id(self, body: dict[str, Any]) -> str | None:
        """Return the id for a prompt, or None if the requested id is invalid."""
        new, requested = str(uuid.uuid4()), body.get("prompt_id")
        if not self.capabilities.client_prompt_ids:
            return new
        if not self.capabilities.checks_prompt_ids:
            return str(body.get("prompt_id", new))
        if requested is None:
            return new
        return requested if is_canonical(requested) else None

    def _number(self, body: dict[str, Any]) -> float:
        if "number" in body:
            return float(body["number"])
        number = -self.number if body.get("front") else self.number
        self.number += 1
        return number

    def _has_file(self, name: Any) -> bool:
        return self.files.find_annotated(str(name)) is not None


def is_canonical(prompt_id: Any) -> bool:
    """Return whether an id is a UUID string in lower case and with hyphens."""
    try:
        return isinstance(prompt_id, str) and str(uuid.UUID(prompt_id)) == prompt_id
    except ValueError:
        return False


def _rejection(type_: str, message: str, details: str) -> Response:
    error = {"type": type_, "message": message, "details": details, "extra_info": {}}
    return 400, {"error": error, "node_errors": {}}
