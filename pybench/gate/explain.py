"""Sentences on what a verdict means and what to do about it."""

from __future__ import annotations

import os

from pybench.gate.rule import NEEDED, PROCESS_PAIRS, CaseResult, Verdict


def explain(result: CaseResult, base: str) -> list[str]:
    """Sentences on a case; none where it passed.

    Args:
        base: the name that the user gave for base.
    """
    if result.verdict is Verdict.passed:
        return []
    return {
        Verdict.regression: _regression,
        Verdict.faster: _faster,
        Verdict.noisy: _noisy,
        Verdict.missing: _missing,
        Verdict.crash: _crash,
        Verdict.new: _new,
    }[result.verdict](result, base)


def _regression(result: CaseResult, base: str) -> list[str]:
    if not result.ratios:
        return [f"{result.name}: {result.reason}"]
    base_ms, head_ms = result.milliseconds
    times = sum(ratio.is_slower for ratio in result.ratios)
    return [
        f"{result.name}: a call takes {head_ms:.4g} ms, {result.ratio.median:.2f} times the {base_ms:.4g} ms of {base} "
        f"(95 % interval {_interval(result)}); over 1.05 in {times} of {PROCESS_PAIRS} process pairs.",
        "  Both ran side by side, so the machine is not the reason: look at what this case runs in the changes since "
        f"{base}. Naming it alone measures it again; `pybench gate --instructions` shows whether an op executes more "
        "instructions.",
    ]


def _faster(result: CaseResult, base: str) -> list[str]:
    if not result.ratios:
        return [f"{result.name}: {result.reason}"]
    return [f"{result.name}: faster than {base}, {result.ratio.median:.2f} times its time ({_interval(result)})."]


def _noisy(result: CaseResult, base: str) -> list[str]:
    blind = sum(not ratio.can_tell for ratio in result.ratios)
    widest = min(ratio.lower / ratio.median for ratio in result.ratios)
    load = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    return [
        f"{result.name}: the machine was too noisy to tell. In {blind} of {PROCESS_PAIRS} process pairs the interval "
        f"was so wide (down to {widest:.2f} of the median) that a slow-down of 10 % could not have been seen; it must "
        f"be visible in at least {NEEDED}.",
        f"  This is not a pass. The load average is {load}: run it again when the machine is idle, or on another.",
    ]


def _missing(result: CaseResult, base: str) -> list[str]:
    return [
        f"{result.name}: {result.reason}. What cannot be measured does not pass; "
        "where it went on purpose, name the cases that are to be compared (--case)."
    ]


def _crash(result: CaseResult, base: str) -> list[str]:
    return [f"{result.name}: did not run, which is not a pass. {result.reason}"]


def _new(result: CaseResult, base: str) -> list[str]:
    return [f"{result.name}: new, {result.reason}; nothing to compare with."]


def _interval(result: CaseResult) -> str:
    return f"{result.ratio.lower:.3f} to {result.ratio.upper:.3f}"
