"""Find the JSON with the workflow in a file, which may be JSON itself, or have it in its metadata."""

from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from comfytui.sanitize import sanitize
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.file_kinds import other_kind
from comfytui.workflow.json_text import parse_json
from comfytui.workflow.media.reader import HEAD, MediaError, MediaReader
from comfytui.workflow.media.text import COMMENT, PROMPT, WORKFLOW
from comfytui.workflow.opening import read_text

if TYPE_CHECKING:
    from comfytui.workflow.media.metadata import MediaFormat

_NAMES: Final = frozenset({PROMPT, WORKFLOW})


class FoundDocument(NamedTuple):
    """Arguments of `document_from_json`."""

    document: object
    name: str
    described: str
    is_sent: bool = False


def document_in(file: BinaryIO, size: int, name: str, described: str) -> FoundDocument:
    """Return the JSON document in a file; of other files than JSON, only the metadata are read.

    Args:
        file: The file, which can seek.
        size: Its size in bytes.
        name: The name of the document.
        described: What the messages call the file.

    Raises:
        WorkflowError: The file has no document that may be a workflow.
        OSError: The file cannot be read.
    """
    reader = MediaReader(file, size)
    head = reader.read_up_to(0, HEAD)
    if not _begins_object(head):
        # Imported late: most workflows are JSON.
        from comfytui.workflow.media.metadata import media_format

        if form := media_format(head):
            return FoundDocument(_texts_in(reader, form, described), name, f"The workflow in {described}", is_sent=True)
        if kind := other_kind(head):
            raise WorkflowError(f"{described} is {kind}.")
    return FoundDocument(parse_json(read_text(file, size, described), described), name, described)


def _begins_object(head: bytes) -> bool:
    """Return whether a file begins as a text with a JSON object does."""
    return b"\0" not in head and head.removeprefix(BOM_UTF8).lstrip().startswith(b"{")


def _texts_in(reader: MediaReader, form: "MediaFormat", described: str) -> object:
    """Return the texts with the workflow in a file's metadata, as an object that `unwrap` looks into."""
    from comfytui.workflow.media.metadata import find_texts

    try:
        texts = find_texts(reader, form)
    except MediaError as error:
        reason = sanitize(str(error), 100)
        raise WorkflowError(
            f"{described} is {form.name} that cannot be read ({reason}): give the original file."
        ) from None
    objects = {name: text for name, text in texts.items() if text.lstrip().startswith("{")}
    comment = objects.pop(COMMENT, None)
    document: Any = objects or (_parsed_comment(comment) if comment else None)
    if not document:
        advice = "give it as ComfyUI saved it, or a JSON file"
        raise WorkflowError(f"{described} is {form.name} without a workflow: {advice}.")
    return document


def _parsed_comment(text: str) -> object:
    """Return the object in a comment, or None if it is no wrapper of a workflow."""
    try:
        document = parse_json(text.encode("utf-8", "surrogatepass"), "The comment")
    except WorkflowError:
        return None
    return document if isinstance(document, dict) and not _NAMES.isdisjoint(document) else None
