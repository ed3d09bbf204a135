"""The report is whole, escapes what it is told, loads nothing, and opens without a complaint."""

from __future__ import annotations

import dataclasses
import hashlib
import html.parser
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isocortex.report import write_result
from isocortex.report.html import ROWS_SHOWN, cell, render
from isocortex.studies.base import StudyResult

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
VOID = {"meta", "link", "img", "source", "br", "hr", "input", "rect", "line", "circle"}


class Page(html.parser.HTMLParser):
    """All tags of a page; unbalanced ones are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def report(result: StudyResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_result(result, tmp_path_factory.mktemp("out") / "invented2030-quick")


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    return Page(report.read_text(encoding="utf-8"))


def test_folder_holds_what_is_promised(report: Path) -> None:
    names = sorted(p.name for p in report.parent.iterdir())
    assert names == [
        "claims.csv", "config.yaml", "figures", "provenance.json", "report.html", "tables",
    ]  # fmt: skip
    figures = sorted(p.name for p in (report.parent / "figures").iterdir())
    assert figures == ["index_by_diet.png", "index_by_diet.svg"]


def test_nothing_is_loaded_and_no_script_runs(page: Page) -> None:
    assert page.all("script") == []
    for tag in ("img", "source"):
        for attributes in page.all(tag):
            address = attributes.get("src") or attributes["srcset"]
            assert address.startswith("data:image/png;base64,")
    for link in page.all("link"):
        assert link["href"] == "data:,"
    (style,) = (a for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert style["content"].startswith("default-src 'none'")
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_links_lead_somewhere(page: Page, report: Path) -> None:
    targets = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    for link in page.all("a"):
        if link["href"].startswith("#"):
            assert link["href"][1:] in targets
        else:
            assert (report.parent / unquote(link["href"])).is_file()


def test_claims_come_first_with_worded_verdicts(page: Page, result: StudyResult) -> None:
    sections = [attributes["id"] for attributes in page.all("section")]
    assert sections == ["claims", "figures", "tables", "method", "provenance"]
    rows = [a for a in page.all("tr") if a.get("id", "").startswith("claim-")]
    assert len(rows) == len(result.judgements)
    assert len({row["id"] for row in rows}) == len(rows)
    words = " ".join(page.text.split())
    for said in (
        "3 ✓ shown", "1 ○ not shown", "1 ✗ contradicted", "2 – not tested", "needs 5 seeds",
        "no data folder is named", "[0.41, 0.73]", "conv < .1, fc6 .57-.73",
        "All 9 parts of F6: 9 shown", "2 undefined, left out",
        "Left out: figure never, because this run has no table recordings.",
    ):  # fmt: skip
        assert said in words


def test_images_and_tables_can_be_read_out(page: Page) -> None:
    for image in page.all("img"):
        assert image["alt"]
        assert int(image["width"]) > 0
    assert all(header.get("scope") in ("col", "row") for header in page.all("th"))
    for svg in page.all("svg"):
        assert svg["role"] == "img"
        assert svg["aria-label"]
    assert page.all("html")[0]["lang"] == "en"


def test_two_renditions_of_each_figure(page: Page) -> None:
    (dark,) = page.all("source")
    (light,) = page.all("img")
    assert dark["media"] == "screen and (prefers-color-scheme: dark)"
    assert dark["srcset"] != light["src"]


def test_same_result_same_bytes(result: StudyResult, report: Path, tmp_path: Path) -> None:
    again = write_result(result, tmp_path / "again")
    for name in ("report.html", "figures/index_by_diet.png", "figures/index_by_diet.svg"):
        first, second = (p.parent / name for p in (report, again))
        assert hashlib.sha256(first.read_bytes()).digest() == (
            hashlib.sha256(second.read_bytes()).digest()
        ), name


def test_long_tables_are_cut_and_say_so(result: StudyResult) -> None:
    long = dataclasses.replace(result, tables={"long": pd.DataFrame({"k": range(1000)})})
    text = Page(render(long)).text
    assert f"{ROWS_SHOWN} of 1000 rows" in text


def test_an_empty_result_is_still_a_page(result: StudyResult) -> None:
    empty = dataclasses.replace(result, tables={}, judgements=[], warnings=(), provenance={})
    text = Page(render(empty)).text
    assert "This study declares no claims." in text
    assert "No figure was drawn." in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (float("nan"), "–"), (pd.NA, "–"), (3.0, "3"), (np.float64(0.12345), "0.123"),
        (-2, "-2"), (True, "True"), ("text", "text"), (1e-7, "1e−07"), (0.00012, "0.0001"),
        (float("inf"), "–"),
        ("a" * 120, "a" * 120), ("a" * 121, "a" * 119 + "…"),
    ],
)  # fmt: skip
def test_cell(value: object, text: str) -> None:
    assert cell(value) == text


def chromium(folder: Path, *flags: str) -> str:
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", f"--user-data-dir={folder / 'profile'}", "--hide-scrollbars",
        "--enable-logging=stderr", "--v=0", *flags,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stderr + done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the report with")
@pytest.mark.parametrize(("scheme", "brightness"), [("light", (200, 256)), ("dark", (0, 60))])
def test_opens_in_a_browser_without_complaint(
    report: Path, tmp_path: Path, scheme: str, brightness: tuple[int, int]
) -> None:
    shot = tmp_path / "shot.png"
    dark = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]
    said = chromium(
        tmp_path,
        *(dark if scheme == "dark" else []),
        f"--screenshot={shot}",
        "--window-size=1000,1600",
        report.as_uri(),
    )
    assert not re.findall(r".*CONSOLE.*", said)
    grey = np.asarray(Image.open(shot).convert("L"))
    assert brightness[0] <= np.median(grey) < brightness[1]
    assert grey.std() > 15
