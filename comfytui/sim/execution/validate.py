"""Validation of submitted graphs, with the same results and error bodies as ComfyUI."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from comfytui.sim.catalogue.node_types import NodeType

Graph = dict[str, dict[str, Any]]
Error = dict[str, Any]

MAX_LISTED_CHOICES = 20
"""A longer list of choices is not included in an error."""
SOURCE = "/opt/ComfyUI/execution.py"
CASTS: Mapping[str, Callable[[Any], Any]] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """The output nodes to execute, or the `error` of a 400 response; either may come with node errors."""

    outputs: tuple[str, ...] = ()
    error: Error | None = None
    node_errors: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Validator:
    """Validates one graph; converts values to the type of their input, in place."""

    graph: Graph
    nodes: Mapping[str, NodeType]
    has_file: Callable[[str], bool]
    results: dict[str, tuple[bool, list[Error]]] = field(default_factory=dict)

    def check(self, node_id: str, path: tuple[str, ...] = ()) -> tuple[bool, list[Error]]:
        """Validate a node and its ancestors.

        Args:
            node_id: The node to validate.
            path: The nodes through which it was reached, to detect cycles.

        Returns:
            Whether the node and all its ancestors are valid, and the node's own errors.
        """
        if node_id in self.results:
            return self.results[node_id]
        if node_id in path:
            self._report_cycle([*path[path.index(node_id) :], node_id])
            return self.results[node_id]
        inputs = self.graph[node_id]["inputs"]
        node = self.nodes[self.graph[node_id]["class_type"]]
        errors: list[Error] = []
        valid = True
        for name, (type_, options, needed) in node.inputs.items():
            if name not in inputs:
                errors += [_missing(name)] if needed else []
            elif isinstance(inputs[name], list):
                valid &= self._check_link(name, (type_, options), inputs[name], errors, (*path, node_id))
            else:
                errors += self._check_value(node, inputs, name, type_, options)
        cycle_ok, cycle_errors = self.results.get(node_id, (True, []))
        errors = cycle_errors + [error for error in errors if error not in cycle_errors]
        self.results[node_id] = (cycle_ok and valid and not errors, errors)
        return self.results[node_id]

    def _report_cycle(self, path: list[str]) -> None:
        members = list(dict.fromkeys(path))
        details = " -> ".join(f"{node_id} ({self.graph[node_id]['class_type']})" for node_id in path)
        for node_id in members:
            info = {"node_id": node_id, "cycle_nodes": members}
            self.results[node_id] = (False, [_error("dependency_cycle", "Dependency cycle detected", details, **info)])

    def _check_link(
        self, name: str, config: tuple[Any, Any], link: list[Any], errors: list[Error], path: tuple[str, ...]
    ) -> bool:
        if len(link) != 2:
            message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            errors.append(_error("bad_linked_input", message, name, **_input_info(name, config, received_value=link)))
            return True
        source = link[0]
        received = self.nodes[self.graph[source]["class_type"]].outputs[link[1]]
        if received != config[0]:
            details = f"{name}, received_type({received}) mismatch input_type({config[0]})"
            info = _input_info(name, config, received_type=received, linked_node=link)
            errors.append(_error("return_type_mismatch", "Return type mismatch between linked nodes", details, **info))
            return True
        try:
            return self.check(source, path)[0]
        except Exception as exc:
            info = _input_info(name, config, exception_message=str(exc), exception_type=type(exc).__name__)
            info |= {"traceback": _traceback(), "linked_node": link}
            message = "Exception when validating inner node"
            self.results[source] = (False, [_error("exception_during_inner_validation", message, str(exc), **info)])
            return False

    def _check_value(
        self, node: NodeType, inputs: dict[str, Any], name: str, type_: Any, options: dict[str, Any]
    ) -> list[Error]:
        config = (type_, options)
        value = inputs[name]
        if isinstance(value, dict) and "__value__" in value:
            value = inputs[name] = value["__value__"]
        try:
            value = inputs[name] = CASTS.get(type_, _same)(value) if isinstance(type_, str) else value
        except Exception as exc:
            message = f"Failed to convert an input value to a {type_} value"
            info = _input_info(name, config, received_value=value, exception_message=str(exc))
            return [_error("invalid_input_type", message, f"{name}, {value}, {exc}", **info)]
        if name == node.file_input:
            return [] if self.has_file(value) else [_no_such_file(name, value)]
        return _check_range(name, config, value)


def validate_prompt(
    graph: Graph, nodes: Mapping[str, NodeType], has_file: Callable[[str], bool], targets: list[str] | None = None
) -> ValidationResult:
    """Validate a graph.

    Args:
        graph: The nodes by id.
        nodes: The known node types by name.
        has_file: Returns whether an input file exists.
        targets: Limits the output nodes to execute; None executes all of them.
    """
    for node_id, node in graph.items():
        if (error := _unknown_type(node_id, node, nodes)) is not None:
            return ValidationResult(error=error)
    outputs = [
        node_id
        for node_id, node in graph.items()
        if nodes[node["class_type"]].is_output and (targets is None or node_id in targets)
    ]
    if not outputs:
        return ValidationResult(error=_error("prompt_no_outputs", "Prompt has no outputs", ""))
    return _validate_outputs(Validator(graph, nodes, has_file), outputs)


def _validate_outputs(validator: Validator, outputs: list[str]) -> ValidationResult:
    good: list[str] = []
    own_errors: list[Error] = []
    node_errors: dict[str, Any] = {}
    for output in outputs:
        try:
            valid, errors = validator.check(output)
        except Exception as exc:
            info = {"exception_type": type(exc).__name__, "traceback": _traceback()}
            message = "Exception when validating node"
            valid, errors = False, [_error("exception_during_validation", message, str(exc), **info)]
            validator.results[output] = (False, errors)
        if valid:
            good.append(output)
            continue
        own_errors += errors
        for node_id, (valid, reasons) in validator.results.items():
            if valid or not reasons:
                continue
            entry = {"errors": reasons, "dependent_outputs": [], "class_type": validator.graph[node_id]["class_type"]}
            node_errors.setdefault(node_id, entry)["dependent_outputs"].append(output)
    if good:
        return ValidationResult(tuple(good), node_errors=node_errors)
    details = "\n".join(f"{error['message']}: {error['details']}" for error in own_errors)
    message = "Prompt outputs failed validation"
    return ValidationResult(error=_error("prompt_outputs_failed_validation", message, details), node_errors=node_errors)


def _unknown_type(node_id: str, node: dict[str, Any], nodes: Mapping[str, NodeType]) -> Error | None:
    details = f"Node ID '#{node_id}'"
    if "class_type" not in node:
        title = node.get("_meta", {}).get("title")
        message = f"Node '{title or f'ID #{node_id}'}' has no class_type. "
        message += "The workflow may be corrupted or a custom node is missing."
        info = {"node_id": node_id, "class_type": None, "node_title": title}
        return _error("missing_node_type", message, details, **info)
    kind = node["class_type"]
    if kind in nodes:
        return None
    title = node.get("_meta", {}).get("title", kind)
    message = f"Node '{title}' not found. The custom node may not be installed."
    return _error("missing_node_type", message, details, node_id=node_id, class_type=kind, node_title=title)


def _check_range(name: str, config: tuple[Any, dict[str, Any]], value: Any) -> list[Error]:
    type_, options = config
    info = _input_info(name, config, received_value=value)
    if "min" in options and value < options["min"]:
        message = f"Value {value} smaller than min of {options['min']}"
        return [_error("value_smaller_than_min", message, name, **info)]
    if "max" in options and value > options["max"]:
        message = f"Value {value} bigger than max of {options['max']}"
        return [_error("value_bigger_than_max", message, name, **info)]
    choices = type_ if isinstance(type_, list) else options.get("options", []) if type_ == "COMBO" else None
    if choices is None or value in choices:
        return []
    is_short = len(choices) <= MAX_LISTED_CHOICES
    listed = str(choices) if is_short else f"(list of length {len(choices)})"
    info["input_config"] = config if is_short else None
    return [_error("value_not_in_list", "Value not in list", f"{name}: {value!r} not in {listed}", **info)]


def _missing(name: str) -> Error:
    return _error("required_input_missing", "Required input is missing", name, input_name=name)


def _no_such_file(name: str, value: Any) -> Error:
    details = f"{name} - Invalid image file: {value}"
    return _error("custom_validation_failed", "Custom validation failed for node", details, input_name=name)


def _error(type_: str, message: str, details: str, **extra_info: Any) -> Error:
    return {"type": type_, "message": message, "details": details, "extra_info": extra_info}


def _input_info(name: str, config: tuple[Any, Any], **more: Any) -> dict[str, Any]:
    return {"input_name": name, "input_config": config, **more}


def _traceback() -> list[str]:
    return [f"  File \"{SOURCE}\", line 933, in validate_inputs\n    o_class_type = prompt[o_id]['class_type']\n"]


def _same(value: Any) -> Any:
    return value
