"""Which client ids a start takes over, and what is left of ids that own nothing."""

import re
import sqlite3
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from comfytui.service.journal.locks import Claim, locked_ids, try_claim
from comfytui.service.journal.reading import unfinished_owners
from comfytui.service.journal.records import Endpoint

_PLAIN = re.compile(r"[0-9A-Za-z-]{1,64}")
"""Ids that can be part of a file's name: a damaged file may hold anything."""


def claim_owners(db: sqlite3.Connection, folder: Path, endpoint: Endpoint) -> list[Claim]:
    """Take over each id of an endpoint that owns unfinished prompts and is not held."""
    claims: list[Claim] = []
    with suppress(OSError):
        # Those taken before an error stay taken.
        claims.extend(
            filter(
                None, (try_claim(folder, each) for each in unfinished_owners(db, endpoint) if _PLAIN.fullmatch(each))
            )
        )
    if not claims:
        return claims
    # Its last holder may have ended its prompts, and let go of it, between the look and the lock.
    still = set(unfinished_owners(db, endpoint))
    for claim in claims:
        if claim.client_id not in still:
            claim.release()
    return [claim for claim in claims if claim.client_id in still]


def new_claim(folder: Path | None) -> Claim:
    """A new random id; where files cannot be locked it is claimed by being new."""
    while folder is not None:
        try:
            # A cleaner may hold the new file for a moment.
            if claim := try_claim(folder, uuid4().hex):
                return claim
        except OSError:
            break
    return Claim(uuid4().hex)


def clean(db: sqlite3.Connection, folder: Path) -> None:
    """Remove the lock files of ids that own nothing unfinished and are not held."""
    owning: Container[str] = set(unfinished_owners(db))
    with suppress(OSError):
        for client_id in locked_ids(folder):
            if client_id not in owning and (left := try_claim(folder, client_id)):
                left.release()
