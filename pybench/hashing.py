"""Names and seeds from identities: the same parts give the same one on every machine, whatever was drawn before."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(value: Any) -> str:
    """16 hex digits that depend on a JSON value only, not on the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def derive_seed(*parts: str | int) -> int:
    """A seed in [0, 2^63) from an identity such as (data seed, category, part)."""
    identity = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") >> 1
