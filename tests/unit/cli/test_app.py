"""The command line: help, exit codes, messages, and one small suite from end to end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from pybench import registry
from pybench.cli.app import app
from pybench.machine.environment import environment, machine

COMMANDS = (
    "",
    "run",
    "tune",
    "best",
    "latency",
    "gate",
    "list",
    "show",
    "export",
    "doctor",
    "data",
    "data list",
    "data check",
    "data standin",
    "data sheet",
)
OPTION = re.compile("--[a-z-]+")
METHOD = '''
import torch
from pybench.types import Citation, Method, MethodParams, Prediction


class {cls}(Method):
    """Scores an image by its brightness."""

    name = "{name}"
    Params = MethodParams
    paper = Citation("Brightness", "Nobody", 2026)

    def fit(self, train):
        self.mean = torch.stack([image.mean() for image in train]).mean()

    def predict(self, images):
        {body}
        size = self.params.input_size
        maps = torch.nn.functional.interpolate(images, (size, size)).mean(1) - self.mean
        return Prediction(maps.amax((1, 2)), maps)

    def state_dict(self):
        return {{"mean": self.mean}}

    def load_state_dict(self, state):
        self.mean = state["mean"]
'''
SUITE = """
name: parts
title: Parts
datasets:
  - name: folder
    categories: [lid, nut]
    options: {normal: "{category}/ok", defective: "{category}/nok", masks: "{category}/masks"}
methods: [{name: bright, params: {image_size: 32}}, {name: fails, params: {image_size: 32}}]
metrics: [image_auroc, image_ap, pixel_auroc, aupro_30]
latency: null
"""


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with two categories of tiny images, a suite over them, and two methods of which one fails."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYBENCH_DATA", raising=False)
    monkeypatch.setattr(registry, "_plugin_folders", [])
    random = np.random.default_rng(0)
    for category in ("lid", "nut"):
        for folder in ("ok", "nok", "masks"):
            (tmp_path / "data" / category / folder).mkdir(parents=True)
        for index in range(10):
            picture = random.integers(80, 120, (32, 32, 3), np.uint8)
            mask = np.zeros((32, 32), np.uint8)
            folder = "ok" if index < 6 else "nok"
            if folder == "nok":
                mask[4:10, 5:12] = 255
                picture[mask > 0] = 200
                Image.fromarray(mask).save(tmp_path / "data" / category / "masks" / f"{index}.png")
            Image.fromarray(picture).save(tmp_path / "data" / category / folder / f"{index}.png")
    (tmp_path / "mine" / "methods").mkdir(parents=True)
    for name, body in (("bright", "pass"), ("fails", "raise RuntimeError('lens cap on')")):
        text = METHOD.format(cls=name.title(), name=name, body=body)
        (tmp_path / "mine" / "methods" / f"{name}.py").write_text(text)
    (tmp_path / "parts.yaml").write_text(SUITE)
    return tmp_path


def run_parts(*arguments: str) -> Result:
    return invoke("run", "parts.yaml", "--plugins", "mine", "--data-root", "data", "--executor", "inline", *arguments)


def test_help_imports_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pybench", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "pybench run mvtec_rto" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"torch", "ray", "numpy", "pandas", "scipy", "pydantic", "rich", "yaml"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_examples(command: str) -> None:
    shown = invoke(*command.split(), "--help")
    assert shown.exit_code == 0
    examples = shown.stdout.partition("Examples:")[2].split("\n")
    assert sum(line.strip().startswith("pybench") for line in examples) >= 2


def test_examples_name_real_options() -> None:
    helps = {command: invoke(*command.split(), "--help").stdout.partition("Examples:") for command in COMMANDS}
    lines = [line for _, _, examples in helps.values() for line in examples.splitlines()]
    for command, (options, _, _) in helps.items():
        own = [line for line in lines if command not in ("", "data") and f"pybench {command} " in line]
        assert {word for line in own for word in OPTION.findall(line)} <= set(OPTION.findall(options))


def test_a_run_with_a_failing_method_goes_on_and_exits_with_1(parts: Path) -> None:
    done = run_parts("--profile", "paper")
    assert done.exit_code == 1
    assert "error" not in done.stderr
    assert re.search(r"│ lid +│ 100\.0 ", done.stdout)
    assert "failed: RuntimeError: lens cap on (lid/fails, nut/fails)" in done.stdout
    assert "records: results/parts" in done.stderr

    shown = invoke("show", "parts", "--format", "json")
    assert shown.exit_code == 0
    trials = json.loads(shown.stdout, parse_constant=pytest.fail)
    assert [(trial["category"], trial["method"], trial["status"]) for trial in trials] == [
        ("lid", "bright", "ok"), ("lid", "fails", "failed"), ("nut", "bright", "ok"), ("nut", "fails", "failed"),
    ]  # fmt: skip
    assert trials[0]["metrics"]["image_auroc"] == 1
    assert trials[1]["metrics"]["image_auroc"] is None
    assert trials[1]["reason"] == "RuntimeError: lens cap on"

    again = run_parts("--profile", "paper", "--filter", "method=bright")
    assert again.exit_code == 0
    assert "finished already" in again.stderr
    later = json.loads(invoke("show", "parts", "--format", "json").stdout)
    assert [trial["finished"] for trial in later] == [trial["finished"] for trial in trials]

    filtered = invoke("show", "parts", "--filter", "status=failed", "--filter", "category=lid", "--format", "csv")
    assert len(filtered.stdout.splitlines()) == 2
    exported = invoke("export", "parts", "--to", "all.csv")
    assert (exported.exit_code, exported.stdout) == (0, "")
    assert len(Path("all.csv").read_text().splitlines()) == 5
    assert "| lid | 100.0 |" in invoke("show", "parts", "--format", "markdown").stdout


def test_dry_run_lists_trials_and_writes_nothing(parts: Path) -> None:
    listed = run_parts("--profile", "paper", "--dry-run", "--set", "seeds=[0,1]", "--filter", "category=nut")
    assert listed.exit_code == 0
    heads, *lines = [line.split("\t") for line in listed.stdout.splitlines()]
    assert heads == ["#", "key", "dataset", "category", "method", "params", "seed", "data seed"]
    assert [(line[3], line[4], line[6]) for line in lines] == [
        ("nut", "bright", "0"), ("nut", "bright", "1"), ("nut", "fails", "0"), ("nut", "fails", "1"),
    ]  # fmt: skip
    assert all(re.fullmatch("[0-9a-f]{16}", line[1]) for line in lines)
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "mvtec_rt"], "did you mean 'mvtec_rto'"),
        (["run", "parts.yaml", "--filtre", "a=b"], "--filter"),
        (["run", "parts.yaml", "--profile", "quik"], "'quick'"),
        (["run", "parts.yaml", "--filter", "lid"], "--filter lid: expected KEY=VALUE"),
        (["run", "parts.yaml", "--filter", "seed=0", "--filter", "seed=1"], "--filter seed is given twice: 0 and 1"),
        (["run", "parts.yaml", "--data-root", "nowhere"], "nowhere"),
        (["run", "parts.yaml", "--plugins", "data"], "no plug-ins here"),
        (["run", "parts.yaml", "--executor", "inline", "--address", "auto"], "--address needs --executor ray"),
        (["shw"], "'show'"),
        (["show", "nothing"], "nothing"),
        (["list", "method"], "'methods'"),
        (["export", "parts", "--to", "table.xlsx"], "no records"),
        (["data", "check", "mvtec_ab"], "did you mean 'mvtec_ad'"),
        (["data", "check", "folder", "--data-root", "data"], "--category"),
        (["data", "check", "mvtec_ad", "--data-root", "data", "--category", "botle"], "did you mean 'bottle'"),
        (["data", "check", "mvtec_ad", "--data-root", "data", "--set", "alfa=white"], "did you mean 'alpha'"),
        (["data", "standin", "--to", "data"], "not empty"),
        (["data", "standin", "--to", "parts.yaml/below"], "cannot be made"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_a_message_and_exit_code_2(parts: Path, arguments: list[str], message: str) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_several_problems_are_one_block(capsys: pytest.CaptureFixture[str]) -> None:
    from pybench.cli.options import complain

    complain("first\nsecond")
    assert capsys.readouterr().err == "error: first\n       second\n"


def test_ctrl_c_is_exit_code_130(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pybench.run.run_plan.run", interrupted)
    done = run_parts("--profile", "paper")
    assert done.exit_code == 130
    assert "finished trials are kept in results/parts" in done.stderr
    monkeypatch.setattr("pybench.report.catalogue.metrics", interrupted)
    assert invoke("list", "metrics").exit_code == 130


def test_a_defect_of_pybench_keeps_its_traceback(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def defective() -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("pybench.report.catalogue.metrics", defective)
    done = invoke("list", "metrics")
    assert isinstance(done.exception, RuntimeError)


def test_list_methods_gives_reasons(parts: Path) -> None:
    folder = parts / "mine" / "methods"
    (folder / "broken.py").write_text("import no_such_module")
    unsupported = "    @classmethod\n    def unsupported(cls, params, device):\n        return ['wants an oven']\n"
    (folder / "needs.py").write_text(METHOD.format(cls="Needs", name="needs", body="pass") + "\n" + unsupported)
    listed = invoke("list", "methods", "--format", "json", "--plugins", "mine")
    assert listed.exit_code == 0
    rows = {row.pop("name"): row for row in json.loads(listed.stdout)}
    assert rows["bright"] == {"status": "ok", "reason": "", "paper": "Nobody: Brightness (2026)"}
    assert rows["needs"]["status"] == "unavailable"
    assert rows["needs"]["reason"] == "wants an oven"
    assert rows["broken"]["status"] == "broken"
    assert "no_such_module" in rows["broken"]["reason"]


def test_other_lists() -> None:
    suites = {row["name"]: row for row in json.loads(invoke("list", "suites", "--format", "json").stdout)}
    assert suites["mvtec_rto"]["datasets"] == ["mvtec_ad"]
    metrics = {row["name"]: row for row in json.loads(invoke("list", "metrics", "--format", "json").stdout)}
    assert metrics["image_auroc"]["better"] == "higher"
    assert "mvtec_ad\tok\t" in invoke("list", "datasets").stdout


def test_data_list_says_what_was_found(parts: Path) -> None:
    (parts / "data" / "mvtec_ad").mkdir()
    rows = json.loads(invoke("data", "list", "--data-root", "data", "--format", "json").stdout)
    found = {row["name"]: row["found"] for row in rows}
    assert found["mvtec_ad"] == str(parts / "data" / "mvtec_ad")
    assert found["magnetic_tile"] == f"not found: {parts / 'data' / 'magnetic_tile'}"
    assert found["mvtec_ad_standin"] == "drawn on first use"


def test_data_check_counts_and_names_what_is_unusable(parts: Path) -> None:
    command = ["data", "check", "folder", "--data-root", "data", "--category", "lid", "--format", "json"]
    options = ["--set", "normal={category}/ok", "--set", "defective={category}/nok", "--set", "masks={category}/masks"]
    done = invoke(*command, *options)
    assert done.exit_code == 0
    (row,) = json.loads(done.stdout)
    assert (row["train"] + row["test good"], row["test defective"], row["annotated"], row["unusable"]) == (6, 4, 4, 0)

    file = parts / "data" / "lid" / "nok" / "7.png"
    file.write_bytes(file.read_bytes()[:200])
    Image.fromarray(np.full((5, 6), 255, np.uint8)).save(parts / "data" / "lid" / "masks" / "8.png")
    done = invoke(*command, *options)
    assert done.exit_code == 2
    assert json.loads(done.stdout)[0]["unusable"] == 2
    assert "7.png" in done.stderr
    assert "8.png" in done.stderr


def test_a_contact_sheet_is_drawn_per_category(tmp_path: Path) -> None:
    assert invoke("data", "sheet", "--to", str(tmp_path / "sheets"), "--category", "capsule").exit_code == 0
    with Image.open(tmp_path / "sheets" / "capsule.png") as sheet:
        assert sheet.width > 7 * 128, "normal images and six defect types"
    unknown = invoke("data", "sheet", "--to", str(tmp_path), "--category", "capsul")
    assert (unknown.exit_code, "did you mean 'capsule'" in unknown.stderr) == (2, True)


def test_doctor_names_what_is_there(parts: Path) -> None:
    done = invoke("doctor", "--data-root", "data", "--format", "json")
    checks = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.exit_code == 0
    assert {"python", "cpu", "memory", "torch", "ray", "faiss", "cuda", "results", "cache"} <= set(checks)
    assert checks["mutual_match reference"]["status"] == "ok"
    assert checks["data mvtec_ad"]["status"] == "missing"
    assert "mvtec" in checks["data mvtec_ad"]["advice"]
    assert {"weights wide_resnet50_2"} <= set(checks)


def test_environment_names_the_machine() -> None:
    here = environment()
    assert here["python"] == ".".join(map(str, sys.version_info[:3]))
    assert here["cores"] >= 1
    assert here["versions"]["numpy"] == np.__version__
    assert machine({"cpu": "Z80", "cores": 1, "memory_mb": 2048, "gpus": ["G", "G"]}) == "Z80, 1 cores, 2 GB, 2 x G"
    assert machine({}) == ""
