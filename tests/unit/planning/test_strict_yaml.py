"""YAML is read strictly: what is wrong is named with file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pybench.planning import strict_yaml
from pybench.planning.strict_yaml import Document, dotted, scalar, validate
from pybench.types import InputError

DEEP = 5000  # brackets, more than Python can nest calls


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    names: tuple[str, ...] = ()


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=2)
    parts: tuple[Part, ...] = Field((), max_length=3)
    by_name: dict[str, Part] = {}
    other: Part | None = None

    @model_validator(mode="after")
    def _is_named(self) -> Whole:
        if self.title == "none":
            raise ValueError("title: none is no title")
        return self


def read(folder: Path, text: str | bytes) -> Document:
    file = folder / "mine.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return strict_yaml.read(file)


def message_of(folder: Path, text: str | bytes) -> str:
    """What is said of a file that cannot be read, without the folder."""
    with pytest.raises(InputError) as error:
        read(folder, text)
    return str(error.value).replace(f"{folder}/", "")


def test_plain_values_are_read_and_every_key_and_item_has_its_line(tmp_path: Path) -> None:
    document = read(
        tmp_path, '# first\na: {b: [1, 2.5, yes]}\nc:\n  - null\n  - d: "2020-01-01"\n    e: &same f\ng: *same\n'
    )
    assert document.content == {"a": {"b": [1, 2.5, True]}, "c": [None, {"d": "2020-01-01", "e": "f"}], "g": "f"}
    assert document.lines == {
        (): 2, ("a",): 2, ("a", "b"): 2, ("a", "b", 0): 2, ("a", "b", 1): 2, ("a", "b", 2): 2,
        ("c",): 3, ("c", 0): 4, ("c", 1): 5, ("c", 1, "d"): 5, ("c", 1, "e"): 6, ("g",): 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), "mine.yaml:1"),
        (("a", 0, "b"), "mine.yaml:2: a[0].b"),
        (("a", 0, "c", 7), "mine.yaml:2: a[0].c[7]"),
        (("d",), "mine.yaml:1: d"),
    ],
)
def test_a_key_that_is_not_there_has_the_line_of_what_it_would_lie_in(
    tmp_path: Path, path: strict_yaml.KeyPath, place: str
) -> None:
    assert read(tmp_path, "a:\n  - b: 1\n").where(path) == f"{tmp_path}/{place}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.yaml:1: expected a mapping (key: value) at the top"),
        ("- a", "mine.yaml:1: expected a mapping (key: value) at the top"),
        (b"a: \xff", "mine.yaml: cannot be read: 'utf-8' codec"),
        ("a: 1\nb: 'open", "mine.yaml:2: not valid YAML: found unexpected end of stream"),
        ("a: 1\nb: \x07", "mine.yaml:2: not valid YAML: a control character ('\\x07')"),
        ("a: 1\n---\nb: 2", "mine.yaml:2: not valid YAML: but found another document"),
        ("a: *other", "mine.yaml:1: not valid YAML: found undefined alias 'other'"),
        ("a: &a [*a]", "mine.yaml: nested too deeply, or an alias"),
        pytest.param("a: " + "[" * DEEP, "mine.yaml: nested too deeply, or an alias", id="deep"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert message_of(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "mine.yaml:2: duplicate key 'a'; it stands already on line 1"),
        ("a:\n  - b: 1\n    c: 2\n    b: 3", "mine.yaml:4: duplicate key 'a[0].b'; it stands already on line 2"),
        ("a: 1\n2: b", "mine.yaml:2: the key 2 is not text; quote it"),
        ("a:\n  on: b", "mine.yaml:2: a: the key True is not text; quote it"),
        ("? [a, b]\n: 1", "mine.yaml:1: the key ['a', 'b'] is not text; quote it"),
    ],
)
def test_keys_are_text_and_stand_once(tmp_path: Path, text: str, message: str) -> None:
    assert message_of(tmp_path, text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [2020-01-01]", "mine.yaml:2: b[0]: a date is not used here; quote it if it is text"),
        (
            "a: 2020-13-45",
            "mine.yaml:1: a: '2020-13-45' cannot be read: month must be in 1..12; quote it if it is text",
        ),
        ("a: !!int many", "mine.yaml:1: a: 'many' cannot be read: invalid literal for int()"),
        pytest.param("a: " + "9" * 5000, "mine.yaml:1: a: '99999", id="digits"),
        ("a: !!binary aGk=", "mine.yaml:1: a: a bytes is not used here"),
        ("a: !own 1", "mine.yaml:1: not valid YAML: could not determine a constructor for the tag '!own'"),
        ("a:\n  b: !own [1]", "mine.yaml:2: a.b: the tag !own is not used here; leave it out"),
        ("a: !!set {b, c}", "mine.yaml:1: a: the tag tag:yaml.org,2002:set is not used here; leave it out"),
        ("a: !!python/object:builtins.dict {b: 1}", "mine.yaml:1: a: the tag tag:yaml.org,2002:python/object"),
    ],
)
def test_other_kinds_of_values_and_tags_are_refused(tmp_path: Path, text: str, message: str) -> None:
    found = message_of(tmp_path, text)
    assert found.startswith(message)
    assert len(found) < 300, "a long value is cut"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "titel: x",
            [
                "mine.yaml:1: title: Field required",
                "mine.yaml:1: titel: unknown key 'titel'; did you mean 'title'?",
            ],
        ),
        ("title: 3", ["mine.yaml:1: title: Input should be a valid string (given: 3)"]),
        ("title: x", ["mine.yaml:1: title: String should have at least 2 characters (given: 'x')"]),
        ("title: none", ["mine.yaml:1: title: none is no title"]),
        (
            "title: xy\nparts:\n  - {size: 1}\n  - {nams: [a]}",
            ["mine.yaml:4: parts[1].nams: unknown key 'nams'; did you mean 'names'?"],
        ),
        (
            "title: xy\nby_name:\n  a: {seize: 1}",
            ["mine.yaml:3: by_name.a.seize: unknown key 'seize'; did you mean 'size'?"],
        ),
        ("title: xy\nother: {siz: 1}", ["mine.yaml:2: other.siz: unknown key 'siz'; did you mean 'size'?"]),
        (
            "title: xy\nother: {size: 0}",
            [
                "mine.yaml:2: other.size: Input should be 'auto' (given: 0), or: "
                "Input should be greater than or equal to 1 (given: 0)"
            ],
        ),
        (
            "title: xy\nother: {names: [a, 1]}",
            ["mine.yaml:2: other.names[1]: Input should be a valid string (given: 1)"],
        ),
    ],
)
def test_every_problem_is_on_a_line_of_its_own(tmp_path: Path, text: str, messages: list[str]) -> None:
    document = read(tmp_path, text)
    with pytest.raises(InputError) as error:
        strict_yaml.fill(Whole, document.content, document)
    assert str(error.value).replace(f"{tmp_path}/", "").splitlines() == messages


def test_a_part_of_a_document_is_filled_and_named_by_where_it_stands(tmp_path: Path) -> None:
    document = read(tmp_path, "title: xy\nother:\n  size: 3\n  names: [a]\n")
    part = strict_yaml.fill(Part, document.content["other"], document, ("other",))
    assert part == Part(size=3, names=("a",))
    with pytest.raises(InputError, match=r"mine\.yaml:3: other\.size: "):
        strict_yaml.fill(Part, {"size": "3"}, document, ("other",))


def test_no_value_is_converted() -> None:
    assert validate(Part, {"size": 2, "names": ["a", "b"]}).names == ("a", "b")
    for wrong in ({"size": "2"}, {"size": 2.0}, {"size": True}, {"names": "ab"}):
        with pytest.raises(ValidationError):
            validate(Part, wrong)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("2.5", 2.5), ("true", True), ("null", None), ("", None), ("some text", "some text"),
        ("[1, a]", [1, "a"]), ("{low: 1}", {"low": 1}), ("'3'", "3"),
        ("{category}/ok", "{category}/ok"), ("2020-01-01", "2020-01-01"), ("2020-13-45", "2020-13-45"),
        ("&a [*a]", "&a [*a]"), ("!own 1", "!own 1"), ("\x07", "\x07"),
    ],
)  # fmt: skip
def test_a_setting_is_yaml_or_else_text(text: str, value: Any) -> None:
    found = scalar(text)
    assert (type(found), found) == (type(value), value)


def test_paths_are_written_with_dots_and_brackets() -> None:
    assert [dotted(path) for path in ((), ("a",), ("a", "b", 0, "c"), (1, "a"))] == ["", "a", "a.b[0].c", "[1].a"]
