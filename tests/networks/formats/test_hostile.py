"""Files that want to do more than compute: refused in one line, and nothing happens."""

from __future__ import annotations

import json
import os
import pickle
import zipfile

import pytest
import torch

from napari_guideme import open_network
from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard
from tests.networks.files import exported_unet, scripted_unet

UNET = NetworkCard(architecture={"name": "unet", "in_channels": 1, "n_classes": 2, "widths": [4]})


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: object) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def refused(path, target, card=UNET):
    with pytest.raises(InputError) as caught:
        open_network(path, "cpu", card)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    return str(caught.value)


@pytest.fixture
def target(tmp_path):
    """What exists only if something was executed."""
    return tmp_path / "executed"


def records(path):
    with zipfile.ZipFile(path) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def archived(path, contents):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ts", ".pt2", ".onnx", ".safetensors"])
@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_pickles(tmp_path, target, suffix, how):
    path = tmp_path / f"net{suffix}"
    if how == "torch":
        torch.save({"weight": torch.zeros(2), "bomb": Bomb(target)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(target)))
    refused(path, target)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ts", ".pt2", ".onnx", ".safetensors", ".zip"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04", b"{}" * 100])
def test_no_networks(tmp_path, target, suffix, content):
    (tmp_path / f"net{suffix}").write_bytes(content)
    assert f"net{suffix}" in refused(tmp_path / f"net{suffix}", target)


@pytest.mark.parametrize(
    ("name", "write"), [("net.pt2", exported_unet), ("net.ts", scripted_unet), ("net.pt", None)]
)
def test_truncated(tmp_path, target, name, write):
    if write is None:
        torch.save({"weight": torch.zeros(1000)}, tmp_path / name)
    else:
        write(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for share in (0.1, 0.5, 0.99):
        (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
        assert name in refused(tmp_path / name, target)


@pytest.mark.parametrize("suffix", [".zip", ".ts", ".pt2", ".pt"])
def test_a_record_that_is_packed_badly(tmp_path, target, suffix):
    path = tmp_path / f"net{suffix}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/code/net.py", bytes(range(256)) * 4)
        start = archive.infolist()[0]
    content = bytearray(path.read_bytes())
    first = 30 + len(start.filename)
    content[first : first + 20] = b"\xff" * 20
    path.write_bytes(content)
    assert f"net{suffix} is not a readable archive" in refused(path, target)


def test_a_crafted_list_of_records(tmp_path, target):
    path = tmp_path / "net.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"x")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"PK\x01\x02", b"PK\x01\x03"))
    assert "net.pt is not a readable archive" in refused(path, target)


def test_a_zip_bomb(tmp_path, target):
    with zipfile.ZipFile(tmp_path / "net.ts", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/code/net.py", b"\0" * 50_000_000)
    assert "more than a network needs" in refused(tmp_path / "net.ts", target)


@pytest.mark.parametrize(
    "line",
    ["torch.save(x, {target!r})", "ops.aten.save(x, {target!r})", "ops.evil.run({target!r})"],
)
def test_torchscript_that_touches_files(tmp_path, target, line):
    scripted_unet(tmp_path / "net.ts")
    contents = records(tmp_path / "net.ts")
    name = next(name for name in contents if name.endswith(".py"))
    contents[name] += b"    " + line.format(target=str(target)).encode() + b"\n"
    archived(tmp_path / "net.ts", contents)
    assert "not allowed in a network" in refused(tmp_path / "net.ts", target)


def test_torchscript_that_writes_when_run(tmp_path, target):
    class Writer(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.from_file("executed", shared=True, size=1)

    folder = os.getcwd()
    os.chdir(tmp_path)
    try:
        torch.jit.save(torch.jit.script(Writer()), "net.ts")
        assert "torch.from_file" in refused(tmp_path / "net.ts", target)
    finally:
        os.chdir(folder)


def changed_program(path, change):
    exported_unet(path)
    contents = records(path)
    name = next(name for name in contents if name.endswith("models/model.json"))
    program = json.loads(contents[name])
    change(program)
    contents[name] = json.dumps(program).encode()
    archived(path, contents)


@pytest.mark.parametrize(
    "operator", ["torch.os.mkdir", "torch.ops.aten.from_file.default", "builtins.exec", "#x:y.z"]
)
def test_a_program_of_other_operators(tmp_path, target, operator):
    def change(program):
        program["graph_module"]["graph"]["nodes"][0]["target"] = operator

    changed_program(tmp_path / "net.pt2", change)
    assert operator in refused(tmp_path / "net.pt2", target)


@pytest.mark.parametrize("code", ["__import__('os').mkdir({!r})", "exec(open({!r}, 'w'))"])
def test_a_program_with_code_for_a_size(tmp_path, target, code):
    def change(program):
        values = program["graph_module"]["graph"]["tensor_values"]
        next(iter(values.values()))["sizes"][0] = {
            "as_expr": {"expr_str": code.format(str(target)), "hint": None}
        }

    changed_program(tmp_path / "net.pt2", change)
    assert "code where a size" in refused(tmp_path / "net.pt2", target)


def test_guards_of_a_program_are_left_behind(tmp_path, target):
    def change(program):
        program["guards_code"] = [f"__import__('os').mkdir({str(target)!r}) is None"]

    changed_program(tmp_path / "net.pt2", change)
    open_network(tmp_path / "net.pt2", "cpu")
    assert not target.exists()


def test_pickled_weights_and_samples_of_a_program(tmp_path, target):
    exported_unet(tmp_path / "net.pt2")
    contents = records(tmp_path / "net.pt2")
    prefix = next(iter(contents)).partition("/")[0]
    contents[f"{prefix}/data/sample_inputs/model.pt"] = pickle.dumps(Bomb(target))
    archived(tmp_path / "net.pt2", contents)
    open_network(tmp_path / "net.pt2", "cpu")
    assert not target.exists()
    name = f"{prefix}/data/weights/model_weights_config.json"
    config = json.loads(contents[name])
    for entry in config["config"].values():
        entry["use_pickle"] = True
    contents[name] = json.dumps(config).encode()
    contents |= {
        f"{prefix}/data/weights/{entry['path_name']}": pickle.dumps(Bomb(target))
        for entry in config["config"].values()
    }
    archived(tmp_path / "net.pt2", contents)
    assert "pickled" in refused(tmp_path / "net.pt2", target)


@pytest.mark.parametrize("name", ["../executed", "/tmp/../executed", "a/../../executed"])
def test_a_package_that_writes_elsewhere(tmp_path, target, name):
    folder = tmp_path / "deep"
    folder.mkdir()
    archived(folder / "net.zip", {"rdf.yaml": b"type: model\n", name: b"x"})
    refused(folder / "net.zip", target)
