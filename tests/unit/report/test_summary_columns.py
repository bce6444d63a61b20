"""The columns of a result table: how they are named and sorted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pybench import registry
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.report.summary import columns_of


def test_a_label_names_the_column_and_is_no_part_of_the_key(
    data_root: Path, plugins: Path, write_suite: Callable[..., Path]
) -> None:
    registry.add_plugins(plugins)
    plain = plan(*load_suite(str(write_suite("slow"))), profile="paper", data_root=data_root)
    file = write_suite("slow")
    file.write_text(file.read_text().replace("- name: slow", "- name: slow\n    label: (i) as it is"))
    labelled = plan(*load_suite(str(file)), profile="paper", data_root=data_root)
    assert [spec.key() for spec in labelled.specs] == [spec.key() for spec in plain.specs]
    assert [column.label for column in columns_of(labelled.specs)] == ["slow (i) as it is"]


def test_columns_stand_by_label_and_then_by_what_differs(
    data_root: Path, plugins: Path, write_suite: Callable[..., Path]
) -> None:
    registry.add_plugins(plugins)
    file = write_suite("slow")
    entries = [
        "- name: slow\n    label: b",
        "- name: slow\n    label: a\n    grid: {image_size: [128, 48, 64]}",
    ]
    file.write_text(file.read_text().replace("- name: slow", "\n  ".join(entries)))
    specs = plan(*load_suite(str(file)), profile="paper", data_root=data_root).specs
    assert [column.detail for column in columns_of(specs)] == [
        "a image_size=48", "a image_size=64", "a image_size=128", "b",
    ]  # fmt: skip
