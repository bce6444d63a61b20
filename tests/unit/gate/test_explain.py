"""Every verdict but a pass comes with a sentence."""

from __future__ import annotations

from pybench.gate.explain import explain
from pybench.gate.rule import CaseResult, Verdict, case_result
from tests.unit.gate.simulation import simulated


def test_every_verdict_but_a_pass_is_explained() -> None:
    for slowdown, noise, word in ((1.2, 0.05, "1.2"), (1.0, 0.8, "noisy"), (0.5, 0.05, "faster")):
        assert word in " ".join(explain(case_result("case", simulated(slowdown, noise, 0), 0), "main"))
    for kind in (Verdict.missing, Verdict.crash, Verdict.new):
        assert "because" in " ".join(explain(CaseResult("case", kind, "because"), "main"))
    assert explain(CaseResult("case", Verdict.passed), "main") == []
