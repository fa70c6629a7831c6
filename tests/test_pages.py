"""Pages for users: links lead somewhere, commands and examples do what is said."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from imageio import v3 as imageio
from skimage.data import coffee, immunohistochemistry

import napari_guideme
from napari_guideme import cli
from tests import toys

ROOT = Path(__file__).parents[1]
CARDS = sorted((ROOT / "src").rglob("bundled/*.md"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")), *CARDS]
README, GUIDE, DEVELOPING = ROOT / "README.md", ROOT / "docs/guide.md", ROOT / "docs/developing.md"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def anchors(page: Path) -> set[str]:
    """Headings as GitHub calls them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def commands(page: Path) -> list[list[str]]:
    """What follows `napari-guideme` in the blocks for a shell."""
    shell = "".join(blocks(page, "sh")).replace("\\\n", " ")
    found = (shlex.split(line, comments=True) for line in shell.splitlines())
    return [words[1:] for words in found if words[:1] == ["napari-guideme"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_picture_is_shown_and_every_page_is_linked():
    shown = {
        (page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links(page)
    }
    there = [*(ROOT / "docs").glob("*.png"), *(ROOT / "docs").glob("*.md"), *CARDS]
    assert not set(there) - shown


@pytest.mark.parametrize(
    ("page", "words"),
    [(page, words) for page in PAGES for words in commands(page)],
    ids=lambda value: value.stem if isinstance(value, Path) else " ".join(value)[:40],
)
def test_commands_have_only_options_that_there_are(page, words):
    # The page for developers adds a method of this name.
    there = ["f-brs" if word == "focal" else word for word in words]
    assert callable(cli._parser().parse_args(there).run)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name
)
def test_options_that_are_named_are_there(page):
    folders = [ROOT / name for name in ("src", "training", "benchmarks")]
    programs = [ROOT / "run.py", *(file for folder in folders for file in folder.rglob("*.py"))]
    known = "".join(map(text_of, programs)) + '"--help"'
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text_of(page)))
    assert not [option for option in named if f'"{option}"' not in known]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A fresh folder with the files that the guide speaks of."""
    monkeypatch.chdir(tmp_path)
    tissue = np.ascontiguousarray(immunohistochemistry()[:128, :128])
    tifffile.imwrite("cells.tif", tissue, photometric="rgb")
    tifffile.imwrite("stack.tif", np.stack([tissue.mean(2).astype(np.uint8)] * 5))
    imageio.imwrite("cells.png", immunohistochemistry()[300:428, 160:320])
    imageio.imwrite("street.jpg", coffee())
    (told,) = blocks(GUIDE, "json")
    Path("hints.json").write_text(told)
    Path("stack.json").write_text(
        json.dumps({"clicks": [{"at": [3, 80, 120], "class": "nucleus"}]})
    )
    Path("street.json").write_text(
        json.dumps({"clicks": [{"at": [250, 270], "class": "motorbike"}]})
    )
    return tmp_path


def test_commands_of_the_guide_run_one_after_the_other_in_a_fresh_folder(folder):
    ran = [words for words in commands(GUIDE) if words[0] != "evaluate"]
    assert {words[0] for words in ran} >= {"predict", "refine", "apply", "replay", "segment"}
    for words in ran:
        assert cli.main(words) == 0, words
    again, after = (tifffile.imread(name) for name in ("again.tif", "after.tif"))
    np.testing.assert_array_equal(again, after)
    assert json.loads(Path("corrected/report.json").read_text(encoding="utf-8"))["images"]


def test_examples_of_the_guide_run_one_after_the_other_in_a_fresh_folder(folder):
    known = {"my_module": toys.DarkAndBright()}
    for example in blocks(GUIDE, "python"):
        exec(example, known)
    assert tifffile.imread("labels.tif").any()
    assert set(np.unique(tifffile.imread("objects.tif"))) == {0, 1, 2}
    assert tifffile.imread("stack-labels.tif").shape == (5, 128, 128)
    assert Path("nuclei.guidance.safetensors").exists()


def test_the_example_of_the_first_page_runs(picture):
    (example,) = blocks(README, "python")
    known = {"my_module": toys.DarkAndBright(), "image": np.pad(picture, (0, 240))}
    exec(example, known)
    assert known["labels"][120, 64] == 1


def test_the_method_of_the_page_for_developers_meets_its_hint(monkeypatch):
    from napari_guideme.guidance import methods

    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    known: dict = {}
    (example,) = blocks(DEVELOPING, "python")
    exec(example, known)
    assert known["session"].report().satisfied == 1


def test_versions_are_told_as_the_package_has_them():
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    told = re.search(r"takes Python ([\d.]+), torch ([\d.]+) and napari ([\d.]+) ", text_of(README))
    python, torch, napari = told.groups()
    assert project["requires-python"] == f">={python}"
    assert f"torch>={torch}" in project["dependencies"]
    assert project["optional-dependencies"]["napari"] == [f"napari[pyqt6]>={napari}"]
    assert f"\nversion: {project['version']}\n" in text_of(ROOT / "CITATION.cff")
    assert napari_guideme.__version__ == project["version"]
