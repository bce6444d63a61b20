"""The directive ``catalogue``: tables of metrics, methods and data sets, made from their own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from docutils import nodes
from docutils.parsers.rst import directives
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from pybench import registry
from pybench.types import Method, MethodParams, Metric


def metrics() -> Iterator[str]:
    """One table, a row per metric."""
    rows = []
    for name in registry.names("metric"):
        metric: Metric = registry.load("metric", name)
        better = "higher" if metric.higher_is_better else "lower"
        rows.append((f"`{name}`", metric.level, better, metric.description))
    yield from table(("metric", "level", "better", "what it is"), rows)


def datasets() -> Iterator[str]:
    """One table, a row per data set."""
    rows = []
    for name in registry.names("dataset"):
        info = registry.load("dataset", name).info
        categories = str(len(info.categories)) if info.categories else "yours"
        rows.append((f"`{name}`", info.title, categories, info.licence, info.how_to_get))
    yield from table(("name", "title", "categories", "licence", "how to get it"), rows)


def methods() -> Iterator[str]:
    """A section per method: its paper, and a table of its parameters."""
    for name in registry.names("method"):
        method: type[Method] = registry.load("method", name)
        paper = f"{method.paper}, {method.paper.reference}" if method.paper.reference else str(method.paper)
        yield from (f"### `{name}`", "", paper, "")
        yield from table(("parameter", "default", "what it is"), parameters(method.Params))


def parameters(model: type[MethodParams]) -> Iterator[tuple[str, str, str]]:
    """Name, default and description of each parameter."""
    for name, field in model.model_fields.items():
        yield f"`{name}`", default(field), field.description or ""


def default(field: FieldInfo) -> str:
    """A parameter's default as code; in words where it has none, or one that follows from other parameters."""
    if field.default_factory_takes_validated_data:
        return "set by others"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    return f"`{value!r}`" if isinstance(value, str) else f"`{value}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a Markdown table, and an empty one."""
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


LISTS = {"metrics": metrics, "datasets": datasets, "methods": methods}


class Catalogue(SphinxDirective):
    """``{catalogue} metrics``, ``datasets`` or ``methods``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = directives.choice(self.arguments[0], tuple(LISTS))
        return self.parse_text_to_nodes("\n".join(LISTS[name]()), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("catalogue", Catalogue)
    return {"parallel_read_safe": True}
