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

_COLLECTIONS = ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")
# Pydantic's types of errors of which the message says enough without the value that was given.
_TELLS_THE_VALUE = ("missing", "value_error", "too_short", "json_invalid")


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
        return _place(self.file, self.lines.get(known, 1), path)


def read(file: Path) -> Document:
    """Read a YAML mapping. Values are text, numbers, booleans, null, and lists and mappings of these; keys are text.

    Raises:
        InputError: the file cannot be read, is not YAML or not a mapping, or has a duplicate key or another kind of
            value; with file and line, and the key where there is one.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from error
    lines: dict[KeyPath, int] = {}
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode):
            raise InputError(f"{file}:1: expected a mapping (key: value) at the top")
        content = _plain(root, (), lines, file)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{file}:{line}: not valid YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(f"{file}:{line}: not valid YAML: a control character ({text[error.position]!r})") from error
    except RecursionError as error:
        raise InputError(f"{file}: nested too deeply, or an alias (*name) stands inside of what it names") from error
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
            given = "" if item["type"] in _TELLS_THE_VALUE else f" (given: {item['input']!r})"
            message = item["msg"].removeprefix("Value error, ") + given
        found.setdefault(path, []).append(message)
    # A list whose items are all refused is also reported as too short: the items' own messages say enough.
    causes = [path for path in found if not any(other != path and other[: len(path)] == path for other in found)]
    return [(path, ", or: ".join(found[path])) for path in causes]


def scalar(text: str) -> Any:
    """The value of a command-line setting: text, a number, a boolean, None, or lists and mappings of these.

    Text that is not YAML, such as ``{category}/ok``, and text that YAML takes for another kind of value, such as a
    date, is taken as it is.
    """
    try:
        value = yaml.safe_load(text)
        json.dumps(value)
    except (yaml.YAMLError, ValueError, TypeError):
        return text
    return value


def dotted(path: KeyPath) -> str:
    """A path as text: ``a.b[0].c``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _place(file: Path, line: int, path: KeyPath) -> str:
    return f"{file}:{line}: {dotted(path)}" if path else f"{file}:{line}"


def _plain(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], file: Path) -> Any:
    """The plain value of a node at ``path``; notes the line of every key and list item in ``lines``."""
    lines.setdefault(path, node.start_mark.line + 1)
    place = _place(file, node.start_mark.line + 1, path)
    if isinstance(node, yaml.ScalarNode):
        value = _constructed(node, place)
        if value is not None and not isinstance(value, str | int | float | bool):
            raise InputError(f"{place}: a {type(value).__name__} is not used here; quote it if it is text")
        return value
    if node.tag not in _COLLECTIONS:
        raise InputError(f"{place}: the tag {node.tag} is not used here; leave it out")
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, index), lines, file) for index, item in enumerate(node.value)]
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = _constructed(key_node, _place(file, line, path))
        if not isinstance(key, str):
            raise InputError(f"{_place(file, line, path)}: the key {key!r} is not text; quote it")
        if key in mapping:
            where, first = dotted((*path, key)), lines[(*path, key)]
            raise InputError(f"{file}:{line}: duplicate key '{where}'; it stands already on line {first}")
        lines[(*path, key)] = line
        mapping[key] = _plain(value_node, (*path, key), lines, file)
    return mapping


def _constructed(node: yaml.Node, place: str) -> Any:
    """The value of a node, as YAML's types define it."""
    try:
        return yaml.constructor.SafeConstructor().construct_object(node, deep=True)
    except ValueError as error:
        raise InputError(f"{place}: {node.value!r:.60} cannot be read: {error}; quote it if it is text") from error


def _is_union_branch(part: str | int) -> bool:
    """Pydantic puts the name of a union's branch into an error's path; no key of ours looks like one."""
    return isinstance(part, str) and (
        "[" in part or part in {"int", "str", "float", "bool", "none"} or part.startswith(("literal", "constrained-"))
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
