"""Names and seeds as hashes of identities: equal identities give equal ones, on every machine, in any order."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def json_hash(value: Any) -> str:
    """A hash of a JSON value in 16 hex digits; the order of keys does not matter."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def derive_seed(*parts: str | int) -> int:
    """A seed in [0, 2^63) from an identity such as (data seed, category, part)."""
    identity = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") >> 1
