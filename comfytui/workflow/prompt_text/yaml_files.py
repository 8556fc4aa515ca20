"""Read YAML that may be hostile: no number in it takes longer to read than its text."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from yaml import SafeLoader
else:
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_NUMBER: Final = 30
"""Characters of the longest number: for one of many parts, such as `59:59:59`, the time grows with their square."""


def load_yaml(path: Path, limit: int) -> Any:
    """Return what a file holds; None if it cannot be read, or is larger than a number of bytes."""
    try:
        if path.stat().st_size > limit:
            return None
        return yaml.load(path.read_bytes(), _Loader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None


class _Loader(SafeLoader):
    """Reads a number that is too long as None."""

    def construct_short_int(self, node: yaml.ScalarNode) -> object:
        return self.construct_yaml_int(node) if len(node.value) <= MAX_NUMBER else None

    def construct_short_float(self, node: yaml.ScalarNode) -> object:
        return self.construct_yaml_float(node) if len(node.value) <= MAX_NUMBER else None


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_short_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_short_float)
