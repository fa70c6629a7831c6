from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest
import torch

from napari_guideme import open_network
from napari_guideme.errors import InputError
from tests import toys
from tests.networks.files import scripted_unet

yaml = pytest.importorskip("yaml")
pytest.importorskip("bioimageio.spec")


def space(name, **size):
    return {"type": "space", "id": name, "size": size or {"min": 64, "step": 4}}


def description(**changes):
    return {
        "format_version": "0.5.3",
        "type": "model",
        "name": "Toy cells",
        "description": "Cells of a toy.",
        "authors": [{"name": "Nobody"}],
        "license": "CC-BY-4.0",
        "documentation": "README.md",
        "cite": [{"text": "none", "doi": "10.1234/abc"}],
        "timestamp": "2024-01-01T00:00:00",
        "inputs": [
            {
                "id": "raw",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": ["grey"]},
                    space("y"),
                    space("x"),
                ],
                "test_tensor": {"source": "in.npy"},
                "preprocessing": [
                    {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
                    {
                        "id": "scale_range",
                        "kwargs": {
                            "axes": ["y", "x"],
                            "min_percentile": 2.0,
                            "max_percentile": 99.0,
                        },
                    },
                ],
            }
        ],
        "outputs": [
            {
                "id": "out",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": ["background", "cell"]},
                    space("y", tensor_id="raw", axis_id="y"),
                    space("x", tensor_id="raw", axis_id="x"),
                ],
                "test_tensor": {"source": "out.npy"},
            }
        ],
        **changes,
    }


@pytest.fixture
def package(tmp_path):
    """Write a package; the description can be changed."""
    folder = tmp_path / "package"
    folder.mkdir()
    module = scripted_unet(folder / "weights.pt")
    np.save(folder / "in.npy", np.zeros((1, 1, 64, 64), np.float32))
    np.save(folder / "out.npy", np.zeros((1, 2, 64, 64), np.float32))
    (folder / "README.md").write_text("# A toy")
    sha256 = hashlib.sha256((folder / "weights.pt").read_bytes()).hexdigest()
    own = {"source": "weights.pt", "sha256": sha256, "pytorch_version": "2.4"}

    def write(weights=None, **changes):
        table = description(weights=weights or {"torchscript": own}, **changes)
        (folder / "rdf.yaml").write_text(yaml.safe_dump(table, sort_keys=False))
        return folder, module

    return write


@pytest.mark.parametrize("form", ["folder", "file", "zip"])
def test_a_package_is_opened(package, tmp_path, form):
    folder, module = package()
    path = {"folder": folder, "file": folder / "rdf.yaml", "zip": tmp_path / "toy.zip"}[form]
    if form == "zip":
        shutil.make_archive(str(tmp_path / "toy"), "zip", folder)
        shutil.rmtree(folder)
    network = open_network(path, "cpu")
    assert network.classes == ("background", "cell")
    assert (network.name, network.licence) == ("Toy cells", "CC-BY-4.0")
    preparation = network.preparation
    assert (preparation.value_range, preparation.percentiles) == ("percentile", (2.0, 99.0))
    assert (preparation.channels, preparation.multiple, preparation.offset) == (1, 4, 0)
    x = torch.rand(1, 1, 32, 48)
    with torch.no_grad():
        torch.testing.assert_close(network.observe(x)[0], module(x), atol=1e-5, rtol=1e-4)


def test_an_output_that_lacks_a_border_lies_where_it_belongs(package):
    raw, out = description()["inputs"][0], description()["outputs"][0]
    for axis in raw["axes"][2:]:
        axis["size"] = {"min": 62, "step": 4}
    for axis in out["axes"][2:]:
        axis["size"] = {"tensor_id": "raw", "axis_id": axis["id"], "offset": -20}
    folder, _ = package()
    torch.jit.trace(toys.ValidUNet(), torch.rand(1, 1, 62, 62)).save(folder / "weights.pt")
    sha256 = hashlib.sha256((folder / "weights.pt").read_bytes()).hexdigest()
    weights = {"source": "weights.pt", "sha256": sha256, "pytorch_version": "2.4"}
    package(inputs=[raw], outputs=[out], weights={"torchscript": weights})
    network = open_network(folder, "cpu")
    assert network.preparation.margin == (20, 20)
    assert network.observe(torch.rand(1, 1, 40, 60))[0].shape == (1, 2, 40, 60)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], ("none", (0.0,), (1.0,))),
        ([("scale_linear", {"gain": 0.5, "offset": 1.0})], ("none", (-2.0,), (2.0,))),
        ([("fixed_zero_mean_unit_variance", {"mean": 3.0, "std": 4.0})], ("none", (3.0,), (4.0,))),
        ([("zero_mean_unit_variance", {"axes": ["y", "x"]})], ("standardised", (0.0,), (1.0,))),
        (
            [
                ("scale_linear", {"gain": 0.5, "offset": 0.0}),
                ("fixed_zero_mean_unit_variance", {"mean": 1.0, "std": 2.0}),
            ],
            ("none", (2.0,), (4.0,)),
        ),
    ],
)
def test_preprocessing(package, steps, expected):
    table = description()["inputs"][0]
    table["preprocessing"] = [{"id": name, "kwargs": kwargs} for name, kwargs in steps]
    folder, _ = package(inputs=[table])
    preparation = open_network(folder, "cpu").preparation
    assert (preparation.value_range, preparation.mean, preparation.std) == expected


RAMP = np.linspace(-50, 150, 64 * 64).reshape(64, 64)
LOW, HIGH = np.percentile(RAMP, (2, 99))
SCALED = ("scale_range", {"axes": ["y", "x"], "min_percentile": 2.0, "max_percentile": 99.0})
GAIN = ("scale_linear", {"gain": 2.0, "offset": 1.0})


def clip(low, high):
    return ("clip", {"min": low, "max": high})


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([SCALED], (RAMP - LOW) / (HIGH - LOW)),
        ([SCALED, clip(0.0, 1.0)], np.clip((RAMP - LOW) / (HIGH - LOW), 0, 1)),
        ([SCALED, GAIN, clip(1.0, 3.0)], np.clip(2 * (RAMP - LOW) / (HIGH - LOW) + 1, 1, 3)),
        ([clip(0.0, 100.0)], np.clip(RAMP, 0, 100)),
        ([GAIN, clip(0.0, 100.0), GAIN], 2 * np.clip(2 * RAMP + 1, 0, 100) + 1),
    ],
)
def test_only_a_clip_clips(package, steps, expected):
    table = description()["inputs"][0]
    table["preprocessing"] = [{"id": name, "kwargs": kwargs} for name, kwargs in steps]
    folder, _ = package(inputs=[table])
    preparation = open_network(folder, "cpu").preparation
    for fitting in (preparation, preparation.measured(RAMP)):
        x, _ = fitting.prepare(RAMP)
        np.testing.assert_allclose(x[0, 0], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "steps",
    [
        [SCALED, clip(0.0, 0.5)],
        [clip(0.0, 100.0), SCALED],
        [clip(0.0, 100.0), clip(0.0, 50.0)],
        [("zero_mean_unit_variance", {"axes": ["y", "x"]}), clip(-3.0, 3.0)],
        [("clip", {"min": 0.0})],
    ],
)
def test_a_clip_that_cannot_be_followed_is_named(package, steps):
    table = description()["inputs"][0]
    table["preprocessing"] = [{"id": name, "kwargs": kwargs} for name, kwargs in steps]
    folder, _ = package(inputs=[table])
    with pytest.raises(InputError, match="clip"):
        open_network(folder, "cpu")


def test_source_code_is_not_run(package, tmp_path):
    code = f"import os\nos.mkdir({str(tmp_path / 'executed')!r})\nclass Net: ...\n"
    (tmp_path / "package" / "net.py").write_text(code)
    weights = {
        "pytorch_state_dict": {
            "source": "weights.pt",
            "pytorch_version": "2.4",
            "architecture": {"callable": "Net", "source": "net.py"},
        }
    }
    folder, _ = package(weights)
    with pytest.raises(InputError, match="code of a package is never run"):
        open_network(folder, "cpu")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("source", ["../weights.pt", "missing.pt", "https://example.org/w.pt"])
def test_weights_elsewhere_are_refused(package, source, tmp_path):
    scripted_unet(tmp_path / "weights.pt")
    folder, _ = package({"torchscript": {"source": source, "pytorch_version": "2.4"}})
    with pytest.raises(InputError) as caught:
        open_network(folder, "cpu")
    assert "\n" not in str(caught.value)


def test_other_weights_than_described_are_refused(package):
    folder, _ = package()
    scripted_unet(folder / "weights.pt")
    with pytest.raises(InputError, match="not those that are described"):
        open_network(folder, "cpu")


def test_an_empty_description(package):
    folder, _ = package()
    for text in ("", "type: model", "[1, 2]", "!!python/object/apply:os.mkdir ['executed']"):
        (folder / "rdf.yaml").write_text(text)
        with pytest.raises(InputError):
            open_network(folder, "cpu")
