"""Limits on what a server sends: whatever that is, memory stays bounded and the user interface responsive.

Python values take up to 24 times the bytes of their JSON, and parsing holds the interpreter. So bytes are limited as
they arrive, after decompression, and values are counted before they are parsed.
"""

KIB = 2**10
MIB = 2**20

BODY_LIMIT = 4 * MIB
"""Bytes of a response without a limit of its own: a rejected graph with the errors of each node, a folder of
20,000 models."""
STATS_LIMIT = MIB
"""Bytes of a response of fixed shape: a count, an acknowledgement, the stats of a machine with a dozen GPUs."""
FOLDER_LIMIT = 16 * MIB
"""Bytes of the list of files in the output folder: 400,000 images."""
DEFINITION_LIMIT = 8 * MIB
"""Bytes of one node definition: one that offers 20,000 file names takes 2 MB, all of a server's together 2 to 10 MB."""
JOBS_LIMIT = 8 * MIB
"""Bytes of the jobs list: 200 jobs, each of which may include the outputs of its preview."""
QUEUE_LIMIT = 256 * MIB
"""Bytes of a queue: 10,000 prompts of 2 kB take 21 MB, 2,000 with the editor's workflow embedded 200 MB.

It is read in pieces as it arrives, so that only what is kept of each prompt is in memory; likewise a history.
"""
HISTORY_LIMIT = 256 * MIB
"""Bytes of a history: 1,000 entries with large workflows."""
ENTRY_LIMIT = 64 * MIB
"""Bytes of the history entry of one prompt: its graph and the editor's workflow, with images embedded in both."""
DEFINITIONS_LIMIT = 64 * MIB
"""Bytes of all node definitions together, each of which repeats the names of the models that it offers.

They are read in pieces as well.
"""
WORKFLOW_LIMIT = 32 * MIB
"""Bytes of a saved workflow or a template; the largest official template takes 300 kB."""
VIEW_LIMIT = 64 * MIB
"""Bytes of a file held in memory: an image of 4,096 x 4,096 as PNG takes 50 MB at most."""
FILE_LIMIT = 512 * MIB
"""Bytes of a file that is written to disk as it arrives."""

PIECE = 128 * KIB
"""Least bytes of a piece of a queue or a history that is parsed on its own."""
MEMBER_LIMIT = 4 * MIB
"""Bytes of one prompt in a queue or a history; a larger one is read without its graph."""
TOKENS_LIMIT = 1_000_000
"""Strings, lists and objects that are scanned in a larger one, which takes a second or two."""
QUEUE_MEMBERS = 20_000
"""Prompts in a queue: the number of rows that a list shows without delaying keys."""
HISTORY_MEMBERS = 20_000
"""Entries of a history: a server keeps 10,000, and old ones send all of them, whatever number is requested."""
MALFORMED_MEMBERS = 16
"""Malformed prompts or entries after which the whole response is rejected."""

VALUES_LIMIT = 200_000
"""Values in one JSON document: about 20 MB of Python values, parsed in 30 ms."""
FOLDER_VALUES = 500_000
"""Files in the output folder."""
DEFINITION_VALUES = 50_000
"""Values in one node definition: twice the file names that any folder has."""

DEFINITIONS_VALUES = 1_500_000
"""Values in all node definitions together."""
DEFINITIONS_MEMBERS = 50_000
"""Node classes of one server; one with many packs has 5,000."""
WORKFLOW_VALUES = 500_000
"""Values in a saved workflow or a template: 10,000 nodes of 50."""

FRAME_LIMIT = 32 * MIB
"""Bytes of one websocket message: previews of a few MB occur, and finished images are sent as well."""
TEXT_FRAME_LIMIT = 4 * MIB
"""Bytes of one text message: an `executed` with embedded images takes 1 to 2 MB."""
FRAME_VALUES = 50_000
"""Values in one text message: the progress of 5,000 nodes."""
PREVIEW_LIMIT = 8 * MIB
"""Bytes of a preview image."""

OUTPUTS_LIMIT = 10_000
"""Output files kept of one prompt."""
NODES_LIMIT = 10_000
"""Node ids read of one list."""


class LimitExceeded(ValueError):
    """A response or frame exceeds a limit; the message names it, and holds no text of the server."""
