"""What the README says is true: its code runs, its commands and files are there."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer

from isocortex.cli import app
from isocortex.studies.base import STUDIES
from isocortex.studies.farzmahdi2024.claims import NOT_BUILT

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENCODING = (ROOT / "docs" / "encoding.md").read_text(encoding="utf-8")
ORIENTATION = (ROOT / "docs" / "orientation.md").read_text(encoding="utf-8")
COMPARING = (ROOT / "docs" / "comparing.md").read_text(encoding="utf-8")
SCENES = (ROOT / "docs" / "latent_scenes.md").read_text(encoding="utf-8")
FIRST_LAYERS = (ROOT / "docs" / "first_layers.md").read_text(encoding="utf-8")
NETWORKS = (ROOT / "docs" / "latent_networks.md").read_text(encoding="utf-8")
PAGES = README + ENCODING + ORIENTATION + COMPARING + SCENES + FIRST_LAYERS + NETWORKS
SHELL = "".join(re.findall(r"```sh\n(.*?)```", PAGES, flags=re.DOTALL))
COMMANDS = re.findall(r"^isocortex .*$", SHELL, flags=re.MULTILINE)


def test_the_library_in_ten_lines_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line and "import" not in line]) <= 10
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "README.md", "exec"), {})
    layers = [line.split()[0] for line in out.getvalue().splitlines() if line[0].isalpha()]
    assert layers == ["features.2", "features.12", "classifier.2"]


def test_encoding_from_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", ENCODING, flags=re.DOTALL)
    exec(compile(code, "encoding.md", "exec"), {})
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("features.2 46656 ")
    assert second.startswith("features.5 32448 ")


def test_networks_of_one_family_from_python_run(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", ORIENTATION, flags=re.DOTALL)
    exec(compile(code, "orientation.md", "exec"), {})
    tanh, *_, relu = capsys.readouterr().out.splitlines()
    assert tanh.startswith("tanh C_lin 0.")
    assert float(relu.split()[-1]) > float(tanh.split()[-1]) + 0.05


def test_comparing_from_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", COMPARING, flags=re.DOTALL)
    exec(compile(code, "comparing.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[-1] == "True"


def test_latent_scenes_from_python_run(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", SCENES, flags=re.DOTALL)
    exec(compile(code, "latent_scenes.md", "exec"), {})
    assert re.fullmatch(r"\(10, 3, 64, 64\) \d+ \{0\.0\}\n", capsys.readouterr().out)


def test_lateral_connections_from_python_run(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", FIRST_LAYERS, flags=re.DOTALL)
    exec(compile(code, "first_layers.md", "exec"), {})
    ratio, field = capsys.readouterr().out.splitlines()
    assert float(ratio.split()[-1]) < 0.01
    assert 0.7 < float(field.split()[4].rstrip(":")) < 1.6


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_and_options_are_there(line: str) -> None:
    name, *arguments = shlex.split(line, comments=True)[1:]
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    within = getattr(command, "commands", {})
    command = within.get(arguments[0] if arguments else "", command)
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("-")} <= options


def test_every_command_is_shown() -> None:
    text = README + (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        assert f"isocortex {name}" in text or f"`{name}`" in text


def test_the_table_of_studies_says_which_work() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", README, flags=re.MULTILINE))
    assert set(STUDIES) <= set(rows)
    for name, state in rows.items():
        assert (state == "coming") == (name not in STUDIES)


def test_the_claims_that_are_not_built_are_named() -> None:
    (row,) = re.findall(r"^\| `farzmahdi2024` .*$", README, flags=re.MULTILINE)
    assert set(re.findall(r"\bF\d+\b", row)) == NOT_BUILT


def test_links_to_files_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_dependencies_are_explained() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for block in re.findall(r"^(?:dependencies|dev|bench) = \[\n(.*?)^\]", project, re.M | re.S):
        for name in re.findall(r'^    "([A-Za-z0-9-]+)', block, re.M):
            assert re.search(rf"\b{name}\b", text, re.IGNORECASE), name


@pytest.fixture
def benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the runner with two made-up benchmarks and a page of its own."""
    spec = importlib.util.spec_from_file_location("runner", ROOT / "benchmarks" / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "first.py").write_text(
        '"""Title of it.\n\nHow it\nis done.\n"""\n'
        'def main():\n    return [{"way": "a|b", "images/s": 1234.5, "ratio": 2.3456}]\n'
    )
    (folder / "second.py").write_text("def main():\n    return [{'n': 1}]\n")
    monkeypatch.setattr(module, "HERE", folder)
    monkeypatch.setattr(module, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in ("benchmarks", "benchmarks.first", "benchmarks.second"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return module


def test_the_page_of_benchmarks(benchmarks: ModuleType, tmp_path: Path) -> None:
    assert benchmarks.main([]) == 0
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "## first\n\n**Title of it.** How it is done.\n" in page
    assert "| way | images/s | ratio |\n|---|---|---|\n| a\\|b | 1,234 | 2.35 |" in page
    assert "python -m benchmarks first`" in page
    assert str(tmp_path) not in page
    (tmp_path / "benchmarks" / "second.py").write_text("def main():\n    return [{'n': 22}]\n")
    sys.modules.pop("benchmarks.second")
    importlib.invalidate_caches()
    assert benchmarks.main(["second"]) == 0
    again = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert again.startswith(page.split("## second")[0])
    assert "| 22 |" in again


def test_an_unknown_benchmark(benchmarks: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmarks.main(["frist"])
    assert "unknown benchmark 'frist'; known: first, second" in capsys.readouterr().err
