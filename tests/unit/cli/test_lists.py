"""pybench list: what there is, and why some of it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.invoked import METHOD, invoke


def test_list_methods_gives_reasons(parts: Path) -> None:
    folder = parts / "mine" / "methods"
    (folder / "broken.py").write_text("import no_such_module")
    unsupported = "    @classmethod\n    def unsupported(cls, params, device):\n        return ['wants an oven']\n"
    (folder / "needs.py").write_text(METHOD.format(cls="Needs", name="needs", body="pass") + "\n" + unsupported)
    listed = invoke("list", "methods", "--format", "json", "--plugins", "mine")
    assert listed.exit_code == 0
    rows = {row.pop("name"): row for row in json.loads(listed.stdout)}
    assert rows["bright"] == {"status": "ok", "reason": "", "paper": "Nobody: Brightness (2026)"}
    assert rows["needs"]["status"] == "unavailable"
    assert rows["needs"]["reason"] == "wants an oven"
    assert rows["broken"]["status"] == "broken"
    assert "no_such_module" in rows["broken"]["reason"]


def test_other_lists() -> None:
    suites = {row["name"]: row for row in json.loads(invoke("list", "suites", "--format", "json").stdout)}
    assert suites["mvtec_rto"]["datasets"] == ["mvtec_ad"]
    metrics = {row["name"]: row for row in json.loads(invoke("list", "metrics", "--format", "json").stdout)}
    assert metrics["image_auroc"]["better"] == "higher"
    assert "mvtec_ad\tok\t" in invoke("list", "datasets").stdout
