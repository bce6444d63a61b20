"""How a selection is told: the answer in a sentence or two, then the candidates, then notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pybench.report.markdown import pipe_table
from pybench.report.names import metric_words, two_lines
from pybench.report.selection import Candidate, Margin, Selection
from pybench.report.table import milliseconds
from pybench.results.constraints import QUANTITIES, Limit

_FRONT = "o"
_REASON = ("", "verdict")
_WIDE = 110  # columns; on narrower terminals reasons stand below the table


def print_selections(console: Console, selections: Iterable[Selection]) -> None:
    """Prints the answer, the table and the notes of each selection."""
    for selection in selections:
        console.print(Text(answer(selection), style="bold"), soft_wrap=not console.is_terminal)
        console.print(_table(selection, reasons=console.width >= _WIDE))
        lines = [_legend(selection), *selection.facts, *_notes(selection)]
        if console.width < _WIDE:
            lines[:0] = [f"{one.label}: {_reason(one, selection)}" for one in selection.candidates]
        for line in lines:
            console.print(Text(line, style="dim"), soft_wrap=not console.is_terminal)
        console.print()


def _table(selection: Selection, reasons: bool) -> Table:
    heads = _heads(selection) if reasons else _heads(selection)[:-1]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=selection.title, title_justify="left")
    table.add_column("candidate", vertical="bottom", overflow="fold")
    for head in heads[1:]:
        is_text = head is _REASON
        table.add_column(
            "\n".join(head), justify="left" if is_text else "right", no_wrap=not is_text, vertical="bottom"
        )
    for candidate in selection.candidates:
        cells = _cells(candidate, selection)[: len(heads)]
        if candidate is selection.best:
            cells[0] += " *"
        style = "bold green" if candidate is selection.best else "" if candidate.fits else "dim"
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


def to_markdown(selections: Iterable[Selection]) -> str:
    """One section per selection."""
    lines = []
    for selection in selections:
        rows = []
        for candidate in selection.candidates:
            cells = _cells(candidate, selection)
            rows.append([f"**{cell}**" if cell else "" for cell in cells] if candidate is selection.best else cells)
        lines += [f"### {selection.title}", "", answer(selection), ""]
        heads = [" ".join(head).strip() for head in _heads(selection)]
        lines += [*pipe_table(heads, rows, texts=(0, len(heads) - 1)), ""]
        lines += [f"- {line}" for line in (_legend(selection, "**bold**"), *selection.facts, *_notes(selection))] + [""]
    return "\n".join(lines)


def selection_object(selection: Selection) -> dict[str, Any]:
    """A selection as JSON-ready data; the metric as in the records, from 0 to 1."""
    margin = selection.margin
    return {
        "title": selection.title,
        "metric": selection.metric,
        "higher_is_better": selection.higher_is_better,
        "limits": [str(limit) for limit in selection.limits],
        "answer": answer(selection),
        "best": selection.best.label if selection.best else None,
        "closest": selection.closest.label if selection.closest else None,
        "margin": margin_object(margin) if margin else None,
        "candidates": [candidate_object(candidate, selection) for candidate in selection.candidates],
        "facts": selection.facts,
        "notes": _notes(selection),
    }


def margin_object(margin: Margin) -> dict[str, Any]:
    """The best one's lead; positive is better, whichever way the metric goes."""
    return {
        "runner_up": margin.runner_up.label,
        "value": _share(margin.points),
        "seeds": margin.seeds,
        "interval": [_share(end) for end in margin.interval] if margin.interval else None,
        "tells_apart": margin.tells_apart,
    }


def candidate_object(candidate: Candidate, selection: Selection) -> dict[str, Any]:
    """A candidate as JSON-ready data."""
    return {
        "candidate": candidate.label,
        "status": _status(candidate, selection),
        "reason": _reason(candidate, selection),
        "pareto_front": candidate.in_front,
        "value": _share(candidate.value.value),
        "spread": _share(candidate.value.spread),
        "seeds": len(candidate.by_seed),
        **{name: candidate.measured.get(name) for name in QUANTITIES},
        **{f"{name}_interval": candidate.intervals.get(name) for name in ("latency_p50_ms", "latency_p95_ms")},
        "flags": candidate.flags,
        "method": candidate.spec.method,
        "params": candidate.spec.params,
        "resources": candidate.spec.resources.model_dump(mode="json"),
    }


def rows(selections: Iterable[Selection]) -> list[dict[str, Any]]:
    """One flat row per candidate, for CSV."""
    flat = []
    for selection in selections:
        for candidate in selection.candidates:
            spec, data = candidate.spec, candidate_object(candidate, selection)
            ends: dict[str, float | None] = {}
            for name in ("latency_p50_ms", "latency_p95_ms"):
                low, high = data.pop(f"{name}_interval") or (None, None)
                ends |= {f"{name}_low": low, f"{name}_high": high}
            del data["params"], data["resources"]
            data["flags"] = "; ".join(data["flags"])
            place = {"suite": spec.suite, "dataset": spec.dataset, "profile": spec.profile, "metric": selection.metric}
            flat.append({**place, **data, **ends})
    return flat


def answer(selection: Selection) -> str:
    """What to take and how sure that is, or what comes closest."""
    best, metric = selection.best, " ".join(metric_words(selection.metric))
    if best is None:
        return _no_answer(selection)
    within = f" within {_limits(selection.limits)}" if selection.limits else ""
    text = f"On {selection.place} {best.label} is best: {metric} {best.value}{within}"
    if selection.margin is None:
        only = "the only candidate" if len(selection.candidates) == 1 else "the only one that can be chosen"
        return f"{text}; {only}.{_doubts(best)}"
    return f"{text}, {_lead(best, selection.margin)}.{_doubts(best)}"


def _no_answer(selection: Selection) -> str:
    closest = selection.closest
    if closest is None:
        return f"On {selection.place} nothing can be chosen: no candidate is eligible."
    by = " and ".join(f"{limit.quantity} {_excess(closest, limit)}" for limit in closest.broken)
    return f"On {selection.place} nothing keeps {_limits(selection.limits)}: {closest.label} comes closest, with {by}."


def _excess(candidate: Candidate, limit: Limit) -> str:
    value, over = candidate.measured[limit.quantity], limit.excess(candidate.measured)
    return f"{_plain(limit.quantity, value)}, {_amount(over)} ({_amount(100 * over / limit.bound)} %) over"


def _lead(best: Candidate, margin: Margin) -> str:
    other = margin.runner_up
    if best.value.rounded != other.value.rounded:
        lead = f"{margin.points:.1f} points better than {other.label}"
    else:
        faster = best.measured and best.measured["latency_p95_ms"] < other.measured.get("latency_p95_ms", 0)
        lead = f"level with {other.label}{' but faster' if faster else ''}"
    if margin.interval is None:
        shared = "one seed" if margin.seeds else "no seed"
        return f"{lead}; they have {shared} in common, so how much of that is chance is not known"
    low, high = margin.interval
    told = "the seeds tell them apart" if margin.tells_apart else "the seeds do not tell them apart"
    return f"{lead}; {told} (95 % interval of the difference over {margin.seeds} seeds: {low:.1f} to {high:.1f})"


def _doubts(best: Candidate) -> str:
    doubts = [
        f" It keeps {limit} as measured, but the upper end of the 95 % interval, {_upper(best, limit)}, does not."
        for limit in best.uncertain
    ]
    return "".join([*doubts, *([" Its latency was flagged (!), see below."] if best.flags else [])])


def _heads(selection: Selection) -> list[tuple[str, str]]:
    return [
        ("candidate", ""),
        two_lines(selection.metric),
        ("latency", "p50 ms"),
        ("latency", "p95 ms"),
        ("p95's 95 %", "interval"),
        ("memory", "MB"),
        ("Pareto", "front"),
        _REASON,
    ]


def _cells(candidate: Candidate, selection: Selection) -> list[str]:
    measured, interval = candidate.measured, candidate.intervals.get("latency_p95_ms")
    flag = "!" if candidate.flags else ""
    return [
        candidate.label,
        str(candidate.value),
        milliseconds(measured["latency_p50_ms"]) if measured else "",
        milliseconds(measured["latency_p95_ms"]) + flag if measured else "",
        " to ".join(map(milliseconds, interval)) if interval else "",
        f"{measured['peak_memory_mb']:.0f}" if measured else "",
        _FRONT if candidate.in_front else "",
        _reason(candidate, selection),
    ]


def _status(candidate: Candidate, selection: Selection) -> str:
    if candidate.fits:
        return "best" if candidate is selection.best else "eligible"
    return "not eligible" if candidate.unfit else "over a limit"


def _reason(candidate: Candidate, selection: Selection) -> str:
    """Why it is the best, or is not."""
    if candidate.unfit:
        return f"not eligible: {candidate.unfit}"
    if candidate.broken:
        return "over " + ", ".join(
            f"{limit} by {_amount(limit.excess(candidate.measured))}" for limit in candidate.broken
        )
    if candidate is selection.best:
        standing = "best"
    else:
        assert selection.best is not None
        is_level = candidate.value.rounded == selection.best.value.rounded
        behind = abs((selection.best.value.value or 0) - (candidate.value.value or 0))
        standing = "level" if is_level else f"{behind:.1f} behind"
    return "; ".join(
        [standing, *(f"{limit} not sure: up to {_upper(candidate, limit)}" for limit in candidate.uncertain)]
    )


def _legend(selection: Selection, best: str = "*") -> str:
    metric = " ".join(metric_words(selection.metric))
    return f"{metric} in %; {best} best; {_FRONT} not beaten in {metric}, p95 and memory together; ! latency flagged"


def _notes(selection: Selection) -> list[str]:
    found, free = [], selection.unlimited
    if selection.limits and free is not None and free.broken:
        over = ", ".join(str(limit) for limit in free.broken)
        metric = " ".join(metric_words(selection.metric))
        found.append(f"without limits: {free.label} with {metric} {free.value}, which breaks {over}")
    return [*found, *selection.notes]


def _limits(limits: Sequence[Limit]) -> str:
    return " and ".join(map(str, limits))


def _upper(candidate: Candidate, limit: Limit) -> str:
    return milliseconds(candidate.intervals[limit.quantity][1])


def _plain(quantity: str, value: float) -> str:
    return milliseconds(value) if quantity.endswith("_ms") else f"{value:.0f}"


def _amount(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _share(percent: float | None) -> float | None:
    """A percentage as the share that records hold; rounded, so that the way there and back leaves no trace."""
    return None if percent is None else round(percent / 100, 12)
