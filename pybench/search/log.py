"""What a search writes beside its records: ``search.json`` with all candidates, and a suite of the best parameters."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from pybench.disk import atomic_files
from pybench.search.candidate import Candidate
from pybench.search.prepare import Prepared
from pybench.search.search import Search
from pybench.spec import TrialSpec

ORACLE = "_oracle"  # ends the name of every number that was measured on the test set


def metric_name(metric: str, is_oracle: bool) -> str:
    """The name of a value of the objective."""
    return metric + ORACLE if is_oracle else metric


def write(folder: Path, prepared: Prepared, search: Search) -> Path | None:
    """Write the log and, if there is a best candidate, the suite; returns the suite's file.

    Raises:
        InputError: the folder cannot be written.
    """
    atomic_files.write(folder / "search.json", (json.dumps(content(prepared, search), indent=1) + "\n").encode())
    best = search.best
    if best is None:
        return None
    file = folder / f"best{ORACLE if prepared.is_oracle else ''}.yaml"
    atomic_files.write(file, _suite(prepared, search, best).encode())
    return file


def content(prepared: Prepared, search: Search) -> dict[str, Any]:
    """The log as a JSON value."""
    settings, oracle = search.settings, prepared.is_oracle
    first = prepared.plan.specs[0]
    best = search.best
    return {
        "suite": prepared.name,
        "method": first.method,
        "profile": first.profile,
        "oracle": oracle,
        "objective": "test set (oracle)" if oracle else "held-out normal images and synthetic anomalies on them",
        "test_labels_read": {
            "by_this_process": search.labels_read_here,
            "by_trials": sum(candidate.test_labels_read for candidate in search.candidates),
        },
        "metrics": [metric_name(metric, oracle) for metric in settings.metrics],
        "constraints": [str(constraint) for constraint in settings.constraints],
        "seed": settings.seed,
        "batch": settings.batch,
        "space": {name: str(part) for name, part in prepared.space.items()},
        "trials_of_a_sample": len(prepared.plan.specs),
        "best": None if best is None else best.number,
        "front": [candidate.number for candidate in search.front],
        "samples": [_candidate(candidate, search, oracle) for candidate in search.candidates],
    }


def _candidate(candidate: Candidate, search: Search, oracle: bool) -> dict[str, Any]:
    is_complete = candidate.state == "complete"
    return {
        "number": candidate.number,
        "state": candidate.state if not is_complete or search.ranking.is_feasible(candidate) else "infeasible",
        "reason": candidate.reason,
        "params": candidate.changes,
        "values": {metric_name(metric, oracle): value for metric, value in candidate.values.items()},
        "values_at_rungs": {metric_name(search.settings.metrics[0], oracle): candidate.rungs},
        "measured": candidate.measured,
        "records": candidate.keys,
    }


def _suite(prepared: Prepared, search: Search, best: Candidate) -> str:
    """A suite that runs the best parameters, beside the defaults, on the test set."""
    plan, first = prepared.plan, prepared.plan.specs[0]
    entries = [{"name": first.method, "label": "tuned", "params": best.params}]
    if not best.is_default:
        entries.insert(0, {"name": first.method, "label": "defaults", "params": first.params})
    mark = ORACLE if prepared.is_oracle else ""
    suite: dict[str, Any] = {
        "name": f"{prepared.name}_tuned_{first.method}{mark}",
        "title": f"{plan.title}: {first.method}, tuned{' on the test set (oracle)' if mark else ''}",
        "datasets": _datasets(plan.specs),
        "methods": entries,
        "metrics": list(prepared.original.metrics),
        "seeds": sorted({spec.seed for spec in plan.specs}),
        "data_seeds": sorted({spec.data_seed for spec in plan.specs}),
        "protocol": prepared.original.protocol.model_dump(mode="json"),
        "latency": None if plan.latency is None else plan.latency.model_dump(mode="json"),
        "resources": first.resources.model_dump(mode="json"),
        "limits": plan.limits.model_dump(mode="json"),
        # Parameters are written out in full; the profile's name is part of a trial's key.
        "profiles": {first.profile: {}},
    }
    values = ", ".join(f"{metric_name(name, prepared.is_oracle)} {value:.4f}" for name, value in best.values.items())
    where = "test set (oracle)" if mark else "validation data made of normal images"
    head = f"# Sample {best.number} of {len(search.candidates)} of a search on the {where}: {values}.\n"
    return head + yaml.safe_dump(suite, sort_keys=False, width=118, default_flow_style=None)


def _datasets(specs: Iterable[TrialSpec]) -> list[dict[str, Any]]:
    """Entries of a suite for what the trials ran on."""
    entries: dict[str, dict[str, Any]] = {}
    for spec in specs:
        rto = None if spec.rto is None else spec.rto.model_dump(mode="json")
        empty: dict[str, Any] = {"name": spec.dataset, "categories": [], "options": spec.dataset_options, "rto": rto}
        entry = entries.setdefault(json.dumps(empty, sort_keys=True), empty)
        if spec.category not in entry["categories"]:
            entry["categories"].append(spec.category)
    return list(entries.values())
