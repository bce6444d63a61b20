"""Reads YAML strictly and fills pydantic models from it; errors name file, line and key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from pybench.registry import unknown
from pybench.types import InputError

KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """A YAML file's content as plain values, and the line of every key and list item in it."""

    file: Path
    content: dict[str, Any]
    lines: dict[KeyPath, int]

    def where(self, path: KeyPath) -> str:
        """``file:line: a.b[0].c``, with the line of the deepest part of ``path`` that is in the file."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        return f"{self.file}:{self.lines.get(known, 1)}: {dotted(path)}"


def read(file: Path) -> Document:
    """Read a YAML mapping.

    Raises:
        InputError: not readable, not YAML, not a mapping, or a duplicate key.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from error
    loader = yaml.SafeLoader(text)
    lines: dict[KeyPath, int] = {}
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise InputError(f"{file}:1: expected a mapping (key: value) at the top")
        content = _plain(loader, root, (), lines, file)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{file}:{line}: not valid YAML: {error.problem}") from error
    finally:
        loader.dispose()
    return Document(file, content, lines)


def fill(model: type[Model], content: Any, document: Document, at: KeyPath = ()) -> Model:
    """An instance of ``model`` from ``content``, which is the part of a document ``at`` this key. No value is
    converted.

    Raises:
        InputError: every problem on a line of its own, each with file, line, key and what would be right.
    """
    try:
        return validate(model, content)
    except ValidationError as error:
        raise InputError(
            "\n".join(f"{document.where(at + path)}: {problem}" for path, problem in problems(error, model))
        ) from error


def validate(model: type[Model], content: Any) -> Model:
    """An instance of ``model`` from plain values, validated strictly. A list is taken for a tuple, as pydantic does
    for JSON only.

    Raises:
        ValidationError: a value of a wrong type, or an unknown or missing key.
    """
    return model.model_validate_json(json.dumps(content), strict=True)


def problems(error: ValidationError, model: type[BaseModel]) -> list[tuple[KeyPath, str]]:
    """Path and message of every problem. The message on an unknown key names the nearest known one."""
    found: dict[KeyPath, list[str]] = {}
    for item in error.errors(include_url=False):
        path = tuple(part for part in item["loc"] if not _is_union_branch(part))
        if item["type"] == "extra_forbidden":
            message = unknown("key", str(path[-1]), _fields(model, path[:-1]))
        else:
            given = (
                f" (given: {item['input']!r})" if item["type"] not in ("missing", "value_error", "too_short") else ""
            )
            message = item["msg"].removeprefix("Value error, ") + given
        found.setdefault(path, []).append(message)
    # A list whose items are all refused is also reported as too short: the items' own messages say enough.
    causes = [path for path in found if not any(other != path and other[: len(path)] == path for other in found)]
    return [(path, ", or: ".join(found[path])) for path in causes]


def scalar(text: str) -> Any:
    """The value of a command-line setting. Text that is not YAML, such as ``{category}/ok``, is taken as it is."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def dotted(path: KeyPath) -> str:
    """A path as text: ``a.b[0].c``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _plain(loader: yaml.SafeLoader, node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], file: Path) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*path, index), lines, file) for index, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        value = loader.construct_object(node)
        if value is not None and not isinstance(value, str | int | float | bool):
            raise InputError(
                f"{file}:{node.start_mark.line + 1}: {dotted(path)}: a {type(value).__name__} is not used here; "
                "quote it if it is text"
            )
        return value
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = loader.construct_object(key_node)
        if not isinstance(key, str):
            raise InputError(f"{file}:{line}: {dotted(path)}: the key {key!r} is not text; quote it")
        if key in mapping:
            where, first = dotted((*path, key)), lines[(*path, key)]
            raise InputError(f"{file}:{line}: duplicate key '{where}'; it stands already on line {first}")
        lines[(*path, key)] = line
        mapping[key] = _plain(loader, value_node, (*path, key), lines, file)
    return mapping


def _is_union_branch(part: str | int) -> bool:
    """Pydantic puts the name of a union's branch into an error's path; no key of ours looks like one."""
    return isinstance(part, str) and (
        "[" in part or part in {"int", "str", "float", "bool", "none"} or part.startswith("literal")
    )


def _fields(model: Any, path: KeyPath) -> list[str]:
    """The field names of the model at ``path`` below ``model``."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        if not path:
            return list(model.model_fields)
        field = model.model_fields.get(str(path[0]))
        return _fields(field.annotation, path[1:]) if field else []
    for argument in get_args(model):
        # An item of a list or dict is one step further down the path; a branch of a union is at the same place.
        is_container = isinstance(getattr(model, "__origin__", None), type)
        found = _fields(argument, path[1:] if is_container else path)
        if found:
            return found
    return []
