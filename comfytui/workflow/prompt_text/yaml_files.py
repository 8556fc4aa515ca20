"""Read YAML as texts: a `yes`, `null` or `1.50` in it is what it says.

No number is made of a text, which could take very long for one of many parts, such as `59:59:59`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from yaml import SafeLoader
else:
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MERGE: Final = "tag:yaml.org,2002:merge"
_SCALARS: Final = ("bool", "float", "int", "null", "timestamp")
"""Kinds of values that other readers of YAML tell from texts."""


def load_yaml(path: Path, limit: int) -> Any:
    """Return what a file holds: texts, lists and mappings; None if it cannot be read, or is larger than some bytes."""
    try:
        if path.stat().st_size > limit:
            return None
        return yaml.load(path.read_bytes(), _Loader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None


class _Loader(SafeLoader):
    """Reads each value as a text."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [resolver for resolver in resolvers if resolver[0] == _MERGE]
        for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_text(self, node: yaml.ScalarNode) -> str:
        return str(self.construct_scalar(node))


for _kind in _SCALARS:
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_text)
