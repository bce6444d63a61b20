"""The command ``pybench gate``: arguments only."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pybench.cli import completion
from pybench.cli.errors import EXIT_FAILED, complain
from pybench.cli.options import DataRoot, FilterOption, ProfileOption, SetOption, pairs
from pybench.cli.output import console

if TYPE_CHECKING:
    from pybench.gate.process import Side

EXAMPLES = (
    "pybench gate                                            # is the working tree slower than the last commit?",
    "pybench gate --base main --format markdown              # for a pull request's summary",
    'pybench gate --base v0.1 --head HEAD --case "k_center"  # one case, two commits',
    "pybench gate --base main --suite smoke --profile smoke --filter method=padim",
    "pybench gate --base main --instructions                 # count instead of timing, with Valgrind",
)


class GateFormat(enum.StrEnum):
    table = "table"
    json = "json"
    markdown = "markdown"


def gate(
    base: Annotated[
        str, typer.Option(metavar="REV", help="What to compare with: a commit, a branch or a tag.")
    ] = "HEAD",
    head: Annotated[
        str, typer.Option(metavar="REV", help="What is judged; worktree: the files as they are, committed or not.")
    ] = "worktree",
    suite: Annotated[
        str | None,
        typer.Option(
            metavar="SUITE",
            help="Measure the methods of this suite (file or name), not the native ops.",
            autocompletion=completion.suites,
        ),
    ] = None,
    case: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Measure this case only. Repeatable; default: all.")
    ] = None,
    instructions: Annotated[
        bool, typer.Option("--instructions", help="Count the instructions of the native ops with Valgrind; no times.")
    ] = False,
    profile: ProfileOption = None,
    filter: FilterOption = None,
    set: SetOption = None,
    data_root: DataRoot = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the order of the pairs and of the intervals.")] = 0,
    format: Annotated[
        GateFormat, typer.Option(metavar="table|json|markdown", help="How to print it; json has every sample.")
    ] = GateFormat.table,
) -> None:
    """Build two revisions of pybench and measure, side by side, whether head is slower than base.

    Exit codes: 0 nothing is slower, 1 a regression, a missing case or a crash, 2 unusable input, 3 too noisy to tell.
    """
    filters, overrides = pairs("--filter", filter), pairs("--set", set)
    from pybench.gate import instructions as counting
    from pybench.gate.comparison import compare_revisions
    from pybench.gate.process import SideError, Source
    from pybench.gate.rule import exit_code
    from pybench.gate.run import compare
    from pybench.types import InputError

    if instructions:
        _refuse("--instructions counts all native ops", {"--suite": suite, "--case": case})
        counting.require_valgrind()
    if suite is None:
        _refuse("that belongs to --suite", {"--profile": profile, "--filter": filter, "--set": set})
        source = Source("op_cases.py")
    else:
        from pybench.planning.suite import load_suite

        file, chosen = load_suite(suite)[1].file.resolve(), profile.value if profile else None
        root = str(data_root) if data_root else None
        options = {"suite": str(file), "profile": chosen, "filters": filters, "overrides": overrides, "data_root": root}
        source = Source("suite_cases.py", options)

    def measure(of_base: Side, of_head: Side) -> Any:
        if instructions:
            return counting.compare(of_base, of_head, _say)
        return compare(of_base, of_head, source, wanted=case or (), seed=seed, report=_say), None

    try:
        gated = compare_revisions(Path.cwd(), base, head, measure, _say)
    except SideError as error:
        if error.side == "base":
            raise InputError(f"there is nothing to compare with. {error}") from None
        complain(str(error))
        raise typer.Exit(EXIT_FAILED) from None
    from pybench.report.gate import print_gate, to_data, to_markdown

    if format is GateFormat.json:
        typer.echo(json.dumps(to_data(gated, seed), allow_nan=False))
    elif format is GateFormat.markdown:
        typer.echo(to_markdown(gated))
    else:
        print_gate(console(), gated)
    raise typer.Exit(exit_code(gated.results))


def _refuse(why: str, given: dict[str, Any]) -> None:
    for option, value in given.items():
        if value:
            raise typer.BadParameter(f"{option}: {why}")


def _say(line: str) -> None:
    typer.echo(line, err=True)
