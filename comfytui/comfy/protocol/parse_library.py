"""Parse what a server offers to make prompts with (shapes of ComfyUI 0.33.0, and of older lists without details).

As in `parse`, malformed parts are left out, and a body of another shape altogether raises ValueError.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from comfytui.comfy.limits import MIB
from comfytui.comfy.protocol import json_readers
from comfytui.comfy.protocol.library import (
    FOLDERS,
    LIBRARY_LIMIT,
    LoraMetadata,
    SavedWorkflow,
    ServerFile,
    Template,
    TemplateGroup,
)
from comfytui.comfy.protocol.models import Json
from comfytui.comfy.protocol.parse import NAMES_LIMIT, parse_object

TITLE_LIMIT = 300
"""Characters kept of a title."""
DESCRIPTION_LIMIT = 4_000
"""Characters kept of a description."""
TAGS_LIMIT = 200
"""Tags kept of a LoRA or a template."""
TAGS_SIZE = MIB
"""Characters that the tags of a LoRA's training images may take."""
TAG_VALUES = 100_000
"""Values that they may hold."""
MILLISECONDS = 10**11
"""Larger times are in milliseconds, as servers since 2025 send them."""
EXTENSION = ".json"


def parse_saved_workflows(body: Json) -> tuple[SavedWorkflow, ...]:
    """Parse the list of saved workflows, with or without details; hidden and other files are left out.

    Raises:
        ValueError: It is not a list.
    """
    if not isinstance(body, list):
        raise ValueError("no list")
    found = (_saved_workflow(item) for item in body[:NAMES_LIMIT])
    return tuple(each for each in islice(filter(None, found), LIBRARY_LIMIT))


def _saved_workflow(item: Json) -> SavedWorkflow | None:
    details = json_readers.mapping(item)
    path = _name(item if isinstance(item, str) else details.get("path"), json_readers.PATH_LIMIT)
    if not path.lower().endswith(EXTENSION) or path.rpartition("/")[2].startswith("."):
        return None
    modified = json_readers.number(details.get("modified"))
    if modified is not None and modified > MILLISECONDS:
        modified /= 1000
    return SavedWorkflow(path, json_readers.integer(details.get("size")), modified)


def parse_template_index(body: Json) -> tuple[TemplateGroup, ...]:
    """Parse the index of ComfyUI's own templates; groups of the same title are one, empty ones are left out.

    Raises:
        ValueError: It is not a list.
    """
    if not isinstance(body, list):
        raise ValueError("no list")
    groups: dict[str, list[Template]] = {}
    templates = ((group, item) for group in map(json_readers.mapping, body) for item in _templates_of(group))
    for group, template in islice(templates, LIBRARY_LIMIT):
        title = json_readers.text(group.get("title"), TITLE_LIMIT) or "Templates"
        groups.setdefault(title, []).append(template)
    return tuple(TemplateGroup(title, tuple(found)) for title, found in groups.items())


def _templates_of(group: Any) -> Iterator[Template]:
    for item in map(json_readers.mapping, json_readers.items(group.get("templates"))):
        name = _name(item.get("name"), json_readers.ID_LIMIT)
        if name:
            yield Template(
                name,
                json_readers.text(item.get("title"), TITLE_LIMIT) or name,
                description=json_readers.text(item.get("description"), DESCRIPTION_LIMIT),
                media=json_readers.text(item.get("mediaType"), TITLE_LIMIT),
                tags=json_readers.texts(item.get("tags"), TAGS_LIMIT, DESCRIPTION_LIMIT),
                models=json_readers.texts(item.get("models"), TAGS_LIMIT, DESCRIPTION_LIMIT),
                is_paid=item.get("openSource") is False,
            )


def parse_pack_templates(body: Json) -> tuple[TemplateGroup, ...]:
    """Parse the templates of the packs of nodes, by the name of the pack.

    Raises:
        ValueError: It is not an object.
    """
    groups, left = [], LIBRARY_LIMIT
    for key, names in parse_object(body).items():
        pack = _name(key, json_readers.ID_LIMIT)
        found = (_name(name, json_readers.ID_LIMIT) for name in json_readers.items(names))
        templates = tuple(Template(name, name, pack) for name in islice(dict.fromkeys(filter(None, found)), left))
        left -= len(templates)
        if pack and templates:
            groups.append(TemplateGroup(pack, templates))
    return tuple(groups)


def parse_lora_metadata(body: Json) -> LoraMetadata:
    """Parse the metadata in the file of a LoRA.

    Raises:
        ValueError: It is not an object.
    """
    data = parse_object(body)
    title = json_readers.text(data.get("modelspec.title"), TITLE_LIMIT)
    base = json_readers.text(data.get("ss_base_model_version"), TITLE_LIMIT)
    return LoraMetadata(
        title or json_readers.text(data.get("ss_output_name"), TITLE_LIMIT),
        json_readers.text(data.get("modelspec.trigger_phrase"), DESCRIPTION_LIMIT).strip(),
        _training_tags(data.get("ss_tag_frequency")),
        json_readers.text(data.get("modelspec.architecture"), TITLE_LIMIT) or base,
    )


def _training_tags(value: Json) -> tuple[tuple[str, int], ...]:
    """Return the most frequent tags of all folders of training images; the metadata holds them as JSON in a string."""
    if not isinstance(value, str) or len(value) > TAGS_SIZE:
        return ()
    try:
        folders = json_readers.mapping(json_readers.loads(value, TAG_VALUES))
    except ValueError:
        return ()
    counts: Counter[str] = Counter()
    for folder in map(json_readers.mapping, folders.values()):
        for tag, count in folder.items():
            name = _name(tag.strip(), json_readers.ID_LIMIT)
            if name and (times := json_readers.integer(count)):
                counts[name] += times
    return tuple(counts.most_common(TAGS_LIMIT))


def parse_uploaded(body: Json) -> ServerFile:
    """Parse the response to an upload: where the server put the file, and under which name.

    Raises:
        ValueError: It does not say.
    """
    data = parse_object(body)
    name, folder = _name(data.get("name"), json_readers.ID_LIMIT), data.get("type")
    if not name:
        raise ValueError("no name")
    subfolder = _name(data.get("subfolder"), json_readers.PATH_LIMIT)
    return ServerFile(name, subfolder, folder if folder in FOLDERS else "input")


def parse_upload_limit(body: Json) -> int | None:
    """Parse the features of a server into the most bytes of an upload; None if they do not say."""
    return json_readers.integer(json_readers.mapping(body).get("max_upload_size"))


def parse_model_names(body: Json) -> tuple[str, ...]:
    """Parse a list of names of files or embeddings, without repetitions.

    Raises:
        ValueError: It is not a list.
    """
    if not isinstance(body, list):
        raise ValueError("no list")
    names = (_name(item, json_readers.PATH_LIMIT) for item in body[:NAMES_LIMIT])
    return tuple(dict.fromkeys(filter(None, names)))


def _name(value: Json, limit: int) -> str:
    """Return a name as it is, since it is sent back; empty for anything that is too long or no string."""
    return value if isinstance(value, str) and len(value) <= limit else ""
