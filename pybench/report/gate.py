"""What a gate found: a table, Markdown for the summary of a pull request, or JSON with every sample."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pybench.gate.comparison import Comparison
from pybench.gate.explain import explain
from pybench.gate.instructions import describe
from pybench.gate.rule import CaseResult, Verdict, exit_code
from pybench.machine.environment import environment
from pybench.report.markdown import pipe_table

_HEADINGS = ("case", "base", "head", "head / base", "95 % interval", "verdict")
_STYLES = {Verdict.passed: "green", Verdict.faster: "green", Verdict.noisy: "yellow", Verdict.new: "yellow"}


def print_gate(console: Console, gated: Comparison) -> None:
    """The table, and the sentences below it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=_title(gated), title_justify="left")
    for name in _HEADINGS:
        table.add_column(name, justify="left" if name in ("case", "verdict") else "right")
    for result in gated.results:
        *cells, verdict = _row(gated, result)
        table.add_row(*map(Text, cells), Text(verdict, style=_STYLES.get(result.verdict, "bold red")))
    console.print(table)
    for line in sentences(gated):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def to_markdown(gated: Comparison) -> str:
    """The same, for the summary of a pull request."""
    rows = [_row(gated, result) for result in gated.results]
    table = pipe_table(_HEADINGS, rows, texts=(0, len(_HEADINGS) - 1))
    items = [f"- {' '.join(line.split())}" for line in sentences(gated)]
    return "\n".join([f"### {_title(gated)}", "", *table, "", *items])


def to_data(gated: Comparison, seed: int) -> dict[str, Any]:
    """Everything, each sample included, as plain values."""
    return {
        "base": asdict(gated.base),
        "head": asdict(gated.head),
        "seed": seed,
        "exit_code": exit_code(gated.results),
        "cases": [_case(gated, result) for result in gated.results],
        "explanation": sentences(gated),
        "environment": environment(),
    }


def sentences(gated: Comparison) -> list[str]:
    """The sentences below the table."""
    counted = [] if gated.counts is None else [describe(gated.counts)]
    return [*gated.notes, *counted, *(line for result in gated.results for line in explain(result, gated.base.name))]


def _title(gated: Comparison) -> str:
    what = "Time of one call, ms" if gated.counts is None else "Instructions of one call"
    return f"{what}: {gated.head} against {gated.base}"


def _row(gated: Comparison, result: CaseResult) -> tuple[str, ...]:
    if gated.counts is not None:
        base, head = _counts(gated, result)
        cells = [f"{count:,}" if count else "" for count in (base, head)]
        return (result.name, *cells, f"{head / base:.4f}" if base and head else "", "", result.verdict)
    if not result.ratios:
        return (result.name, "", "", "", "", result.verdict)
    times = (f"{taken:.4g}" for taken in result.milliseconds)
    ratio = result.ratio
    return (result.name, *times, f"{ratio.median:.3f}", f"{ratio.lower:.3f} to {ratio.upper:.3f}", result.verdict)


def _counts(gated: Comparison, result: CaseResult) -> list[int | None]:
    return [counted.instructions.get(result.name) for counted in gated.counts or ()]


def _case(gated: Comparison, result: CaseResult) -> dict[str, Any]:
    case: dict[str, Any] = {"case": result.name, "verdict": result.verdict, "reason": result.reason}
    if gated.counts is not None:
        return {**case, "instructions": _counts(gated, result)}
    pairs = [{"base_ns": p.base.round().tolist(), "head_ns": p.head.round().tolist()} for p in result.pairs]
    ratios = [asdict(ratio) for ratio in result.ratios]
    return {**case, "process_pairs": [{**ratio, **pair} for ratio, pair in zip(ratios, pairs, strict=True)]}
