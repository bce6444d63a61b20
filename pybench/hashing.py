"""Names and seeds as hashes of identities, the same on every machine and in any order; and hashes of files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def json_hash(value: Any) -> str:
    """A hash of a JSON value in 16 hex digits; the order of keys does not matter."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def file_sha256(file: Path) -> str:
    """The sha256 of a file's content in hex; the file is read in chunks.

    Raises:
        OSError: the file is not there or cannot be read.
    """
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def derive_seed(*parts: str | int) -> int:
    """A seed in [0, 2^63) from an identity such as (data seed, category, part)."""
    identity = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") >> 1
