"""The command line: what it prints, what it writes, and one line for every mistake."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from isocortex import __version__
from isocortex.cli import main
from isocortex.cli.root import cache_folder
from isocortex.studies import base

INVENTED = '''
"""A study that takes no time, unless it is asked to wait."""
import time

import pandas as pd
import pydantic
from matplotlib.figure import Figure as Drawing

from isocortex.claims import Claim, Part, judge
from isocortex.statistics import Interval
from isocortex.studies.base import Figure, Findings, Study


class Drawing_(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    seed: int = 0


class Configuration(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    value: float = 0.5
    wait: float = 0.0
    drawing: Drawing_ = Drawing_()


def steps(configuration, data, execution):
    execution.progress.start(("wait",), 1)
    time.sleep(configuration.wait)
    execution.progress.finish(("wait",), False, configuration.wait)
    v = configuration.value
    judgement = judge(
        CLAIM, {"a": Interval(v, v - 0.1, v + 0.1, 0.95, 5, "t")}, n_seeds=5, condition="invented"
    )
    drawing = configuration.drawing.model_dump()
    frame = pd.DataFrame([configuration.model_dump(exclude={"drawing"}) | drawing])
    return Findings({"chosen": frame}, [judgement], {}, ("made up",))


def draw(tables):
    figure = Drawing()
    figure.subplots().plot(tables["chosen"]["value"], marker="o")
    return figure


CLAIM = Claim("F1", "The value is high", "0.6", (Part("a", "the value", "above", 0.2),), 5)
STUDY = Study(
    name="invented2030",
    title="An invention",
    citation="Nobody (2030)",
    question="Is it?",
    configurations={"quick": Configuration(), "small": Configuration(value=0.0)},
    claims=[CLAIM],
    steps=steps,
    figures={"value": Figure(draw, "The value.")},
)
'''


@pytest.fixture(autouse=True)
def invented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Register a made-up study, and work in an empty folder without real data."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "invented_study.py").write_text(INVENTED)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(base.STUDIES, "invented2030", "invented_study")
    monkeypatch.delenv("ISOCORTEX_DATA", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


def child(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command line in a process of its own, with the made-up study."""
    code = f"import sys; from isocortex.cli import main; sys.exit(main({list(arguments)!r}))"
    if arguments[0] == "study":
        known = "from isocortex.studies.base import STUDIES"
        code = f"{known}; STUDIES['invented2030'] = 'invented_study'; {code}"
    # A suite that runs in the background hands down an ignored Ctrl-C.
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {code}"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
    )


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("isocortex: ")
    return line.removeprefix("isocortex: ")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from isocortex.cli import main; code = main(['--help']);"
        "heavy = {'torch', 'numpy', 'pandas', 'matplotlib', 'warp', 'pydantic_settings'};"
        "sys.exit(code or len(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    for command in (
        "study",
        "studies",
        "encode",
        "compare",
        "fields",
        "render",
        "layers",
        "data",
        "doctor",
    ):
        assert f" {command} " in done.stdout


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Usage: isocortex" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"isocortex {__version__}\n"


def test_a_study_writes_its_result_and_shows_the_board(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["study", "invented2030"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "id\tverdict\there\tclaim",
        "F1\tshown\t0.5 [0.40, 0.60]\tThe value is high (invented)",
    ]
    assert "isocortex: made up" in captured.err
    assert "wait: started" in captured.err
    out = Path("results/invented2030-quick")
    assert f"report: {out.resolve() / 'report.html'}" in captured.err
    assert sorted(p.name for p in out.iterdir()) == [
        "claims.csv", "config.yaml", "figures", "provenance.json", "report.html", "tables",
    ]  # fmt: skip


def test_fields_are_set_and_an_earlier_result_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for arguments in (
        ["--preset", "small"],
        ["--set", "value=-0.5", "--set", "wait=0.0", "--seed", "7"],
    ):
        assert main(["study", "invented2030", "--out", str(out), *arguments]) == 0
    chosen = pd.read_csv(out / "tables" / "chosen.csv")
    assert chosen.to_dict("records") == [{"value": -0.5, "wait": 0.0, "seed": 7}]
    assert pd.read_csv(out / "claims.csv")["verdict"].tolist() == ["contradicted"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["stduy"], "unknown command 'stduy'; .*study.*"),
        (["study", "invented2031"], "unknown study 'invented2031'; did you mean invented2030.*"),
        (["study", "invented2030", "--preset", "quik"], "unknown preset 'quik'; did you mean .*"),
        (["study", "invented2030", "--set", "vale=1"], "unknown field 'vale'; did you mean .*"),
        (["study", "invented2030", "--set", "value"], "--set value: write it as field=value.*"),
        (["study", "invented2030", "--set", "value=x"], "value: .* got 'x'"),
        (["study", "invented2030", "--device", "cuda"], "--device: this study has no field .*"),
        (["studies", "invented2031"], "unknown study 'invented2031'; did you mean .*"),
        (["study", "invented2030", "--cluster", "slrm"], "unknown cluster 'slrm'; did you mean .*"),
        (["study", "invented2030", "--data", "nowhere"], "data folder 'nowhere' .* does not .*"),
        (["study", "invented2030", "--prest", "quick"], "unknown option --prest; did you mean "
         "--preset.* (isocortex study --help describes it)"),
        (["study", "invented2030", "--seed", "x"], ".*'--seed'.* (isocortex study --help .*"),
        (["study"], "Missing argument 'name' (isocortex study --help describes it)"),
        (["study", "invented2030", "more"], ".*unexpected extra argument.*"),
        (["--versoin"], "unknown option --versoin; did you mean --version.*"),
        (["render", "--objects", "mehses"], "unknown source of objects 'mehses'; did you mean .*"),
        (["render", "latnts"], "unknown command 'latnts'; did you mean latents.*"),
        (["render", "latents", "--shard", "3"], "--shard 3: write it as 0/4 .*"),
        (["render", "latents", "--set", "sampler=x"], "scene specification: sampler: .*"),
        (["render", "latents", "--freeze", "ya=1"], ".*unknown sampled parameter 'ya'.*yaw.*"),
        (["render", "latents", "--background", "sky"], "unknown background 'sky'.*"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_writes_nothing(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = one_line(capsys)
    pattern = re.escape(line).replace(r"\.\*", ".*")
    assert re.fullmatch(pattern, said, re.IGNORECASE), said
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("command", [["study", "invented2030"], ["render"]])
def test_an_output_that_cannot_be_written_is_told_before_the_run(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "run_study", lambda *_, **__: pytest.fail("the run has begun"))
    Path("file").write_text("mine")
    assert main([*command, "--out", "file/out"]) == 2
    assert "cannot write in" in one_line(capsys)
    assert main([*command, "--out", "file"]) == 2
    assert "is a file; choose another folder with --out" in one_line(capsys)
    Path("thesis").mkdir()
    Path("thesis/chapter.tex").write_text("mine")
    assert main([*command, "--out", "thesis"]) == 2
    assert "isocortex did not write it" in one_line(capsys)
    assert Path("thesis/chapter.tex").read_text() == "mine"


def test_a_cache_that_cannot_be_written_is_told_before_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("file").write_text("mine")
    assert main(["study", "invented2030", "--cache", "file"]) == 2
    assert re.fullmatch(r"cannot write in .*file .*with --cache", one_line(capsys))
    assert [p.name for p in Path().iterdir()] == ["file"]


def test_a_full_disk_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "cache/step.pkl")

    monkeypatch.setattr(base, "run_study", fail)
    assert main(["study", "invented2030"]) == 2
    assert one_line(capsys).startswith("No space left on device: cache/step.pkl; see to")


def test_a_mistake_of_ours_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(base, "run_study", fail)
    with pytest.raises(KeyError):
        main(["study", "invented2030"])


def test_an_interruption_says_how_to_go_on(invented: Path) -> None:
    cache = str(invented.parent / "cache")
    run = child(invented, "study", "invented2030", "--set", "wait=60", "--cache", cache)
    assert run.stderr is not None
    assert run.stderr.readline() == "wait: started\n"
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert out == ""
    assert err == (
        "isocortex: interrupted; give the same command again to go on from the last finished step\n"
    )
    assert [p.name for p in Path().rglob("*")] == ["results"]


def test_a_reader_who_leaves_is_no_error(invented: Path) -> None:
    run = child(invented, "data")
    assert run.stdout is not None
    run.stdout.close()
    assert run.stderr is not None
    said = run.stderr.read()
    run.stderr.close()
    assert run.wait(timeout=60) in (0, 1)
    for word in ("Traceback", "BrokenPipe", "ignored"):
        assert word not in said


def test_studies_are_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "STUDIES", {"invented2030": "invented_study"})
    assert main(["studies"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "invented2030\tquick, small\tIs it?\tNobody (2030)"
    )


def test_fields_of_a_study_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["studies", "invented2030"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "field\tquick\tsmall", "value\t0.5\t0.0", "wait\t0.0\t0.0", "drawing.seed\t0\t0",
    ]  # fmt: skip


def test_data_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mnist.npz").write_bytes(b"x" * 100)
    assert main(["data", "--data", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    rows = [line.split("\t") for line in captured.out.splitlines()]
    assert all(len(row) == 6 for row in rows)
    recordings = {row[0]: row[2] for row in rows}
    assert recordings["neural/v4_cowley_201025_images.zip"] == "v4-cowley-201025"
    assert recordings["images/mnist.npz"] == ""
    sizes = {row[0]: row[1] for row in rows}
    assert sizes["images/mnist.npz"] == "100 B"
    assert sizes["images/bsds500_train_val.zip"] == "missing"
    assert captured.err.startswith("1 of ")


def test_the_doctor_exits_by_what_it_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--cache", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
    assert main(["doctor", "--data", str(tmp_path / "absent")]) == 1
    captured = capsys.readouterr()
    assert "data\tfolder\tunusable\twrong" in captured.out
    assert captured.err.startswith("isocortex: data folder: ")
    assert captured.err.count("\n") == 1


def test_the_default_cache_is_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder(None).name == "isocortex"
    assert cache_folder(Path("~/x")) == Path.home() / "x"


def test_layers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "isocortex:half"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["layer", "type", "shape", "receptive field"]
    assert len(rows) > 7
    assert all(len(row) == 4 for row in rows)


def test_render_writes_a_set_and_a_contact_sheet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from isocortex.stimuli import StimulusSet

    arguments = ["render", "--category", "car_like", "--exemplars", "2", "--size", "24"]
    for _ in range(2):
        assert main([*arguments, "--out", "set"]) == 0
    assert capsys.readouterr().out.startswith("18 images: ")
    stimuli = StimulusSet.load(Path("set"))
    assert stimuli.shape == (1, 24, 24)
    assert set(stimuli.table["category"]) == {"car_like"}
    assert Path("set/contact_sheet.png").stat().st_size > 0


def test_render_latents_writes_shards_with_log_and_sheet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from isocortex.stimuli.scenes.store import open_scenes

    arguments = ["render", "latents", "--images", "30", "--size", "16", "--exemplars", "1"]
    arguments += ["--background", "uniform", "--freeze", "yaw=0", "--map", "mask", "--out", "set"]
    for shard in ("1/2", "0/2", "0/2"):
        assert main([*arguments, "--shard", shard]) == 0
    assert "shard 1 of 2 of 30 images: " in capsys.readouterr().out
    kept = open_scenes("set")
    assert kept.images([0, 29]).shape == (2, 3, 16, 16)
    assert kept.read("mask", [7]).shape == (1, 1, 16, 16)
    assert kept.latents["sampled_yaw"].eq(0).all()
    assert Path("set/contact_sheet.png").stat().st_size > 0
    assert main([*arguments, "--seed", "1"]) == 2
    assert "holds other scenes" in capsys.readouterr().err
