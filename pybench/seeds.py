"""Seeds from identities: the same parts give the same seed on every machine, whatever was drawn before."""

from __future__ import annotations

import hashlib


def derive(*parts: str | int) -> int:
    """A seed in [0, 2^63) from an identity such as (data seed, category, part)."""
    identity = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") >> 1
