"""A selection for readers and programs: the answer in a sentence or two, then the detectors, then notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pybench.report.markdown import pipe_table
from pybench.report.names import metric_words, two_lines
from pybench.report.selection import Detector, Margin, Selection
from pybench.report.table import milliseconds
from pybench.results.constraints import QUANTITIES, Constraint

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
            lines[:0] = [f"{one.label}: {_reason(one, selection)}" for one in selection.detectors]
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
    for detector in selection.detectors:
        cells = _cells(detector, selection)[: len(heads)]
        if detector is selection.best:
            cells[0] += " *"
        style = "bold green" if detector is selection.best else "" if detector.fits else "dim"
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


def to_markdown(selections: Iterable[Selection]) -> str:
    """One section per selection."""
    lines = []
    for selection in selections:
        rows = []
        for detector in selection.detectors:
            cells = _cells(detector, selection)
            rows.append([f"**{cell}**" if cell else "" for cell in cells] if detector is selection.best else cells)
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
        "limits": [str(constraint) for constraint in selection.constraints],
        "answer": answer(selection),
        "best": selection.best.label if selection.best else None,
        "closest": selection.closest.label if selection.closest else None,
        "margin": margin_object(margin) if margin else None,
        "candidates": [detector_object(detector, selection) for detector in selection.detectors],
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


def detector_object(detector: Detector, selection: Selection) -> dict[str, Any]:
    """A detector as JSON-ready data."""
    return {
        "candidate": detector.label,
        "status": _status(detector, selection),
        "reason": _reason(detector, selection),
        "pareto_front": detector.in_front,
        "value": _share(detector.value.value),
        "spread": _share(detector.value.spread),
        "seeds": len(detector.by_seed),
        **{name: detector.measured.get(name) for name in QUANTITIES},
        **{f"{name}_interval": detector.intervals.get(name) for name in ("latency_p50_ms", "latency_p95_ms")},
        "flags": detector.flags,
        "method": detector.spec.method,
        "params": detector.spec.params,
        "resources": detector.spec.resources.model_dump(mode="json"),
    }


def rows(selections: Iterable[Selection]) -> list[dict[str, Any]]:
    """One flat row per detector, for CSV."""
    flat = []
    for selection in selections:
        for detector in selection.detectors:
            spec, data = detector.spec, detector_object(detector, selection)
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
    within = f" within {_joined(selection.constraints)}" if selection.constraints else ""
    text = f"On {selection.place} {best.label} is best: {metric} {best.value}{within}"
    if selection.margin is None:
        only = "the only candidate" if len(selection.detectors) == 1 else "the only one that can be chosen"
        return f"{text}; {only}.{_doubts(best)}"
    return f"{text}, {_lead(best, selection.margin)}.{_doubts(best)}"


def _no_answer(selection: Selection) -> str:
    closest = selection.closest
    if closest is None:
        return f"On {selection.place} nothing can be chosen: no candidate is eligible."
    by = " and ".join(f"{constraint.quantity} {_excess(closest, constraint)}" for constraint in closest.broken)
    wanted = _joined(selection.constraints)
    return f"On {selection.place} nothing keeps {wanted}: {closest.label} comes closest, with {by}."


def _excess(detector: Detector, constraint: Constraint) -> str:
    value, over = detector.measured[constraint.quantity], constraint.excess(detector.measured)
    return f"{_plain(constraint.quantity, value)}, {_amount(over)} ({_amount(100 * over / constraint.bound)} %) over"


def _lead(best: Detector, margin: Margin) -> str:
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
    verdict = "the seeds tell them apart" if margin.tells_apart else "the seeds do not tell them apart"
    return f"{lead}; {verdict} (95 % interval of the difference over {margin.seeds} seeds: {low:.1f} to {high:.1f})"


def _doubts(best: Detector) -> str:
    doubts = [
        f" It keeps {one} as measured, but the upper end of the 95 % interval, {_upper(best, one)}, does not."
        for one in best.uncertain
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


def _cells(detector: Detector, selection: Selection) -> list[str]:
    measured, interval = detector.measured, detector.intervals.get("latency_p95_ms")
    flag = "!" if detector.flags else ""
    return [
        detector.label,
        str(detector.value),
        milliseconds(measured["latency_p50_ms"]) if measured else "",
        milliseconds(measured["latency_p95_ms"]) + flag if measured else "",
        " to ".join(map(milliseconds, interval)) if interval else "",
        f"{measured['peak_memory_mb']:.0f}" if measured else "",
        _FRONT if detector.in_front else "",
        _reason(detector, selection),
    ]


def _status(detector: Detector, selection: Selection) -> str:
    if detector.fits:
        return "best" if detector is selection.best else "eligible"
    return "not eligible" if detector.unfit else "over a limit"


def _reason(detector: Detector, selection: Selection) -> str:
    """Why it is the best, or is not."""
    if detector.unfit:
        return f"not eligible: {detector.unfit}"
    if detector.broken:
        return "over " + ", ".join(
            f"{constraint} by {_amount(constraint.excess(detector.measured))}" for constraint in detector.broken
        )
    if detector is selection.best:
        standing = "best"
    else:
        assert selection.best is not None
        is_level = detector.value.rounded == selection.best.value.rounded
        behind = abs((selection.best.value.value or 0) - (detector.value.value or 0))
        standing = "level" if is_level else f"{behind:.1f} behind"
    return "; ".join([standing, *(f"{one} not sure: up to {_upper(detector, one)}" for one in detector.uncertain)])


def _legend(selection: Selection, best: str = "*") -> str:
    metric = " ".join(metric_words(selection.metric))
    return f"{metric} in %; {best} best; {_FRONT} not beaten in {metric}, p95 and memory together; ! latency flagged"


def _notes(selection: Selection) -> list[str]:
    found, free = [], selection.unconstrained
    if selection.constraints and free is not None and free.broken:
        over = ", ".join(str(constraint) for constraint in free.broken)
        metric = " ".join(metric_words(selection.metric))
        found.append(f"without limits: {free.label} with {metric} {free.value}, which breaks {over}")
    return [*found, *selection.notes]


def _joined(constraints: Sequence[Constraint]) -> str:
    return " and ".join(map(str, constraints))


def _upper(detector: Detector, constraint: Constraint) -> str:
    return milliseconds(detector.intervals[constraint.quantity][1])


def _plain(quantity: str, value: float) -> str:
    return milliseconds(value) if quantity.endswith("_ms") else f"{value:.0f}"


def _amount(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _share(percent: float | None) -> float | None:
    """A percentage as the share that records hold; rounded, so that the way there and back leaves no trace."""
    return None if percent is None else round(percent / 100, 12)
