from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

import napari_guideme

PACKAGE = Path(str(resources.files("napari_guideme")))
FILES = sorted(PACKAGE.rglob("*.py"))
REPOSITORY = Path(__file__).parents[1]
BESIDE = [file for name in ("training", "benchmarks") for file in (REPOSITORY / name).rglob("*.py")]

#: On what rooms stand: on these, and on all that those stand on.
STANDS_ON = {
    "errors": (),
    "motion": (),
    "segments": ("errors",),
    "spacing": ("errors",),
    "hints": ("segments",),
    "hints_json": ("hints",),
    "files": ("hints_json",),
    "networks": ("files",),
    "guidance": ("networks", "spacing"),
    "grabcut": ("networks",),
    "report": ("spacing", "hints"),
    "undoing": ("guidance",),
    "outlines": ("guidance",),
    "refusing": ("outlines",),
    "lens": ("refusing", "grabcut"),
    "history": ("outlines",),
    "planes": ("motion", "guidance"),
    "language": ("guidance",),
    "refinement": ("language",),
    "session": ("history", "refinement", "report", "undoing"),
    "object_session": ("history", "lens", "report", "undoing"),
    "volumes": ("planes", "session"),
    # Localising begins with a word, and may end with a click.
    "localize": ("language", "lens"),
    "referring": ("localize",),
    "session_file": ("object_session", "referring", "volumes"),
    "batch": ("volumes",),
    "demo": ("batch", "session_file"),
    "evaluation": ("batch", "session_file"),
    "cli": ("demo", "evaluation"),
    "widgets": ("demo", "evaluation"),
}


def below(room: str) -> set[str]:
    """Which rooms a room may look into. `__init__` only names what is loaded on demand."""
    return {name for under in STANDS_ON[room] for name in (under, *below(under))}


SCREEN = {"napari", "qtpy", "magicgui", "superqt", "PyQt5", "PyQt6", "PySide2", "PySide6"}


def module_of(file: Path) -> str:
    return ".".join(("napari_guideme", *file.relative_to(PACKAGE).with_suffix("").parts))


def room_of(module: str) -> str:
    return module.split(".")[1]


def calls_and_imports(file: Path) -> tuple[list[ast.Call], list[str]]:
    """All calls and the full names of all modules imported, also within functions."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    imported = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            imported += [f"{node.module}.{alias.name}" for alias in node.names]
    return [node for node in nodes if isinstance(node, ast.Call)], imported


def own(imported: list[str]) -> Iterator[str]:
    return (name for name in imported if name.startswith("napari_guideme."))


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_imports_point_one_way(file):
    room = room_of(module_of(file))
    if room == "__init__":
        return
    looked_into = {room_of(name) for name in own(calls_and_imports(file)[1])}
    assert looked_into <= below(room) | {room}


@pytest.mark.parametrize(
    ("room", "below"),
    [
        ("options", ()),
        ("opening", ()),
        ("paths", ()),
        ("segmented", ("opening",)),
        ("sessions", ("opening", "paths", "segmented")),
        ("evaluating", ("opening",)),
    ],
)
def test_what_commands_share_knows_no_command(room, below):
    files = [file for file in FILES if module_of(file).startswith(f"napari_guideme.cli.{room}")]
    known = {name for file in files for name in own(calls_and_imports(file)[1])}
    inside = {name.split(".")[2] for name in known if room_of(name) == "cli"}
    assert files
    assert inside <= {room, *below}


def test_the_rooms_form_no_circle():
    order = list(STANDS_ON)
    for room, under in STANDS_ON.items():
        assert all(order.index(other) < order.index(room) for other in under), room


def test_every_room_has_its_place():
    assert {room_of(module_of(file)) for file in FILES} - {"__init__"} == {*STANDS_ON}


def test_only_the_widgets_know_a_screen():
    knowing = {
        room_of(module_of(file))
        for file in FILES
        if {name.split(".")[0] for name in calls_and_imports(file)[1]} & SCREEN
    }
    assert knowing == {"widgets"}


@pytest.mark.parametrize("file", [*FILES, *BESIDE], ids=lambda file: file.name)
def test_no_code_is_read_from_files(file):
    calls, imported = calls_and_imports(file)
    assert not {name.split(".")[0] for name in imported} & {"pickle", "dill", "joblib", "shelve"}
    for call in calls:
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if ast.unparse(call.func) == "torch.load":
            assert options.get("weights_only") == "True"
        assert options.get("allow_pickle", "False") == "False"
        assert ast.unparse(call.func) not in {"eval", "exec"}


def loaded_after(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded afterwards."""
    names = "print(*{name.split('.')[0] for name in sys.modules})"
    result = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{names}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "napari_guideme",
        "napari_guideme.cli",
        "napari_guideme.files",
        "napari_guideme.session_file",
    ],
)
def test_torch_and_screen_are_not_loaded_early(module):
    loaded = loaded_after(f"import {module}")
    assert "napari_guideme" in loaded
    assert not loaded & {"torch", *SCREEN}


def test_the_help_needs_neither_torch_nor_a_screen():
    loaded = loaded_after(
        "from napari_guideme.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    )
    assert not loaded & {"torch", *SCREEN}


def test_sessions_that_hear_no_words_load_no_dictionary():
    loaded = loaded_after("import napari_guideme.session, napari_guideme.volumes")
    assert "torch" in loaded
    assert "nltk" not in loaded


def test_nothing_but_the_widgets_loads_a_screen():
    modules = [module_of(file).removesuffix(".__init__") for file in FILES]
    without = [name for name in modules if not name.startswith("napari_guideme.widgets")]
    assert "napari_guideme.session" in without
    loaded = loaded_after("\n".join(f"import {name}" for name in without))
    assert "torch" in loaded
    assert not loaded & SCREEN


@pytest.mark.parametrize("name", napari_guideme.__all__)
def test_public_names_are_loaded_when_used(name):
    assert getattr(napari_guideme, name).__name__ == name
    assert name in dir(napari_guideme)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = napari_guideme.nothing
