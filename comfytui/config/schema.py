"""The shape of the config file as types; the description of a constraint is the sentence for a value that breaks it."""

from typing import Annotated, Any, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from comfytui.config.location import BadConfig, Location

S = TypeVar("S", bound=Struct)

COMMAND_EXPECTED = 'this must be a list of a program and its arguments, as ["pass", "show", "gpu-box"].'

Text = Annotated[
    str,
    Meta(description="this must be text in quotes."),
    Meta(min_length=1, description="this is empty: fill it in, or remove it."),
]
Variable = Annotated[
    Text, Meta(pattern=r"\A[^=\0]*\Z", description="this must be the name of an environment variable.")
]
Command = Annotated[
    tuple[Annotated[str, Meta(pattern=r"\A[^\0]*\Z")], ...],
    Meta(min_length=1, description=COMMAND_EXPECTED),
]
Flag = Annotated[bool, Meta(description="this must be true or false, without quotes.")]
Table = Annotated[dict[str, Any], Meta(description="this must be a table of keys and values.")]
SecretText = Annotated[
    str, Meta(description='this must be text in quotes, { env = "NAME" } or { command = ["program", "argument"] }.')
]


class FileTable(Struct, frozen=True):
    """The whole file."""

    servers: Table = {}
    """A `ServerTable` for each name; they are decoded one by one, so that an error disables only one of them."""


class ServerTable(Struct, frozen=True):
    """The entry of a server; a key that is not in the file is empty or false."""

    url: Text = ""
    user: Text = ""
    token: Text = ""
    token_env: Variable = ""
    token_command: Command = ()
    password: Text = ""
    password_env: Variable = ""
    password_command: Command = ()
    headers: Table = {}
    """By name a `SecretText`, `{ env = Variable }` or `{ command = Command }`; so are cookies and query."""
    cookies: Table = {}
    query: Table = {}
    ca: Text = ""
    cert: Text = ""
    insecure: Flag = False
    default: Flag = False

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return nothing, as `__repr__` does: values may be secrets."""
        return []

    def __repr__(self) -> str:
        return "ServerTable()"


def decode(shape: type[S], value: object, at: Location) -> S:
    """Convert a table of the file to the struct of its shape.

    Values are converted one by one, since the messages of msgspec do not name every key and may quote the file.

    Raises:
        BadConfig: The value is not a table, has an unknown key, or a value is not what its key must have.
    """
    table = convert(Table, value, at)
    types = {each.name: each.type for each in msgspec.structs.fields(shape)}
    for key in table:
        if key not in types:
            raise BadConfig(at.child(key), f"unknown key; the known ones are {', '.join(sorted(types))}.")
    return shape(**{key: convert(types[key], each, at.child(key)) for key, each in table.items()})


def convert(kind: Any, value: object, at: Location) -> Any:
    """Convert a value to one of the types above.

    Raises:
        BadConfig: A constraint is not met; the reason is the description of the first such one.
    """
    base, *constraints = get_args(kind)
    for constraint in constraints:
        try:
            value = msgspec.convert(value, Annotated[base, constraint])
        except msgspec.ValidationError:
            raise BadConfig(at, constraint.description) from None
    return value
