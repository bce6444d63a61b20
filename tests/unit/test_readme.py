"""What the README tells a newcomer to write works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from pybench.cli.app import app

README = Path(__file__).parents[2] / "README.md"


def block(language: str, holding: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)
    (found,) = [text for text in blocks if holding in text]
    return str(found)


def test_own_images_and_own_method(data_root: Path, tmp_path: Path) -> None:
    plugins = tmp_path / "mine"
    (plugins / "methods").mkdir(parents=True)
    (plugins / "methods" / "mean_image.py").write_text(block("python", "class MeanImage"))
    for category in ("lid", "plate"):
        (data_root / category / "masks").rename(data_root / category / "nok_masks")
    suite = tmp_path / "lids.yaml"
    text = block("yaml", "name: lids")
    methods = text[text.index("methods:") : text.index("protocol:")]
    suite.write_text(
        text.replace(methods, "methods:\n  - name: mean_image\n") + "latency: {calls: 30, seconds: 0.1, processes: 1}\n"
    )
    options = ["--data-root", data_root, "--plugins", plugins, "--executor", "inline", "--out", tmp_path / "results"]
    done = CliRunner().invoke(app, ["run", str(suite), *map(str, options)])
    assert done.exit_code == 0, done.output
    assert "mean_image" in done.output
    assert "plate" in done.output
