"""YAML that is read strictly, and pydantic models filled from it with errors that name file, line and key."""

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
        """``file:line: a.b[0].c`` of the deepest part of ``path`` that stands in the file."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        return f"{self.file}:{self.lines.get(known, 1)}: {spelt(path)}"


def read(file: Path) -> Document:
    """Read a YAML mapping.

    Raises:
        InputError: not readable, not YAML, not a mapping, or a key that stands twice.
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
    """An instance of ``model`` from the part of a document that stands ``at`` a key; no value is converted.

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
    """Strict validation that still takes a list for a tuple, as only pydantic's JSON mode does."""
    return model.model_validate_json(json.dumps(content), strict=True)


def problems(error: ValidationError, model: type[BaseModel]) -> list[tuple[KeyPath, str]]:
    """(path, message) of every problem; an unknown key's message names the nearest known one."""
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
    """The value of a command-line setting: YAML, or the text itself where it is none, such as ``{category}/ok``."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def spelt(path: KeyPath) -> str:
    """``a.b[0].c``"""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _plain(loader: yaml.SafeLoader, node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], file: Path) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*path, index), lines, file) for index, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        value = loader.construct_object(node)
        if value is not None and not isinstance(value, str | int | float | bool):
            raise InputError(
                f"{file}:{node.start_mark.line + 1}: {spelt(path)}: a {type(value).__name__} is not used here; "
                "quote it if it is text"
            )
        return value
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = loader.construct_object(key_node)
        if not isinstance(key, str):
            raise InputError(f"{file}:{line}: {spelt(path)}: the key {key!r} is not text; quote it")
        if key in mapping:
            raise InputError(
                f"{file}:{line}: duplicate key '{spelt((*path, key))}'; it stands already on line {lines[(*path, key)]}"
            )
        lines[(*path, key)] = line
        mapping[key] = _plain(loader, value_node, (*path, key), lines, file)
    return mapping


def _is_union_branch(part: str | int) -> bool:
    """Pydantic puts the name of a union's branch into an error's path; no key of ours looks like one."""
    return isinstance(part, str) and (
        "[" in part or part in {"int", "str", "float", "bool", "none"} or part.startswith("literal")
    )


def _fields(model: Any, path: KeyPath) -> list[str]:
    """Names of the fields of the model that stands at ``path`` below ``model``."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        if not path:
            return list(model.model_fields)
        field = model.model_fields.get(str(path[0]))
        return _fields(field.annotation, path[1:]) if field else []
    for argument in get_args(model):
        # A list's or dict's item stands one step further down; a union's branch at the same place.
        is_container = isinstance(getattr(model, "__origin__", None), type)
        found = _fields(argument, path[1:] if is_container else path)
        if found:
            return found
    return []
