"""Records on disk."""

from __future__ import annotations

from pathlib import Path

from pybench.results.store import Store, load_results

KEPT = Path(__file__).parent / "kept_records"


def test_records_of_every_schema_version_still_load() -> None:
    frame = load_results(KEPT / "v1" / "smoke")
    assert frame["metrics.image_auroc"].notna().all()
    assert frame["latency.p50_ms"].notna().all()
    (result,) = Store(KEPT / "v1" / "smoke").results()
    assert result.record.examples is None
