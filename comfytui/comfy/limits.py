"""How much of what a server sends is taken in: whatever it sends, the process stays small and the keys answer.

Python values need up to 24 times the bytes of their JSON, and hold the interpreter while they are made. So bytes are
bounded as they arrive, after decompression, and values are counted before they are made.
"""

KIB = 2**10
MIB = 2**20

BODY_LIMIT = 4 * MIB
"""Bytes of an answer for which no other limit is named: a refused graph with the errors of each node, a features list,
a folder of 20,000 models."""
STATS_LIMIT = MIB
"""Bytes of an answer of fixed shape: a count, an acknowledgement, the figures of a machine with a dozen GPUs."""
FOLDER_LIMIT = 16 * MIB
"""Bytes of the list of files in the output folder: 400,000 pictures."""
DEFINITION_LIMIT = 8 * MIB
"""Bytes of one class of nodes: one that offers 20,000 file names takes 2 MB, all of a server's classes 2 to 10 MB."""
JOBS_LIMIT = 8 * MIB
"""Bytes of the jobs list: 200 lines of which each may carry the outputs of its preview."""
QUEUE_LIMIT = 256 * MIB
"""Bytes of a queue: 10,000 prompts of 2 kB take 21 MB, 2,000 with the editor's workflow beside them 200 MB.

It is read in pieces as it arrives, so only what is kept of each prompt stands in memory; the same holds for a history.
"""
HISTORY_LIMIT = 256 * MIB
"""Bytes of a history: 1,000 entries with large workflows."""
ENTRY_LIMIT = 64 * MIB
"""Bytes of the history of one prompt: its graph and the editor's workflow, with pictures embedded in both."""
VIEW_LIMIT = 64 * MIB
"""Bytes of a file held in memory: a picture of 4,096 x 4,096 as PNG takes 50 MB at most."""

FILE_LIMIT = 512 * MIB
"""Bytes of a file that goes to the disk as it arrives."""

PIECE = 128 * KIB
"""Bytes from which a piece of a queue or a history is read for itself."""
MEMBER_LIMIT = 4 * MIB
"""Bytes of one prompt in a queue or a history; of a larger one the graph is left out."""
TOKENS_LIMIT = 1_000_000
"""Texts, lists and objects that are looked at one by one in a larger one: it takes a second or two."""
QUEUE_MEMBERS = 20_000
"""Prompts in a queue: so many rows are what a list can show without keeping the keys waiting."""
HISTORY_MEMBERS = 20_000
"""Entries of a history: a server keeps 10,000, and old ones send all whatever number was asked for."""
MALFORMED_MEMBERS = 16
"""Malformed prompts or entries after which the rest is taken for no better."""

VALUES_LIMIT = 200_000
"""Values in one JSON document: about 20 MB of Python values, made in 30 ms."""
FOLDER_VALUES = 500_000
"""Files in the output folder."""
DEFINITION_VALUES = 50_000
"""Values in the definition of one class of nodes: twice the file names that any folder has."""

FRAME_LIMIT = 32 * MIB
"""Bytes of one message of the socket: previews of a few MB are seen in the wild, finished pictures come as well."""
TEXT_FRAME_LIMIT = 4 * MIB
"""Bytes of one text message: an `executed` with embedded pictures takes 1 to 2 MB."""
FRAME_VALUES = 50_000
"""Values in one text message: the progress of 5,000 nodes."""
PREVIEW_LIMIT = 8 * MIB
"""Bytes of a picture that comes over the socket to be shown."""

OUTPUTS_LIMIT = 10_000
"""Files kept of one prompt."""
NODES_LIMIT = 10_000
"""Nodes read of one list."""


class TooMuch(ValueError):
    """More than is taken in; the message says of what, and holds no text of the server."""
