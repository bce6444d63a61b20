"""Names and seeds are hashes of identities."""

from __future__ import annotations

from pybench.hashing import derive_seed, json_hash


def test_equal_identities_give_equal_seeds_and_hashes() -> None:
    assert derive_seed(0, "a", "b") == derive_seed(0, "a", "b") != derive_seed(0, "ab", "")
    assert 0 <= derive_seed("x") < 2**63
    assert json_hash({"a": 1, "b": [2]}) == json_hash({"b": [2], "a": 1}) != json_hash({"a": 1, "b": ["2"]})
