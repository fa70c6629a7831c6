from __future__ import annotations

import io
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from torch import nn
from torch.nn import functional as F

from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.formats.onnx import guess, load
from napari_guideme.networks.vision import torchvision
from tests import toys
from tests.networks.files import dark_and_bright, onnx_model

NOTHING = NetworkCard()


def by_onnxruntime(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def saved(tmp_path, model):
    onnx.save(model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def computed(tmp_path, model, x):
    with torch.no_grad():
        return load(saved(tmp_path, model), NOTHING).eval()(torch.from_numpy(x)).numpy()


def numbers(**values):
    return {name: np.array(value) for name, value in values.items()}


OPERATORS = {
    "depth to space, DCR": (helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2), {}),
    "depth to space, CRD": (
        helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="CRD"),
        {},
    ),
    "space to depth": (helper.make_node("SpaceToDepth", ["x"], ["y"], blocksize=2), {}),
    "global max": (helper.make_node("GlobalMaxPool", ["x"], ["y"]), {}),
    "slice": (
        helper.make_node("Slice", ["x", "s", "e", "a", "t"], ["y"]),
        numbers(s=[1, 0], e=[9999, -1], a=[2, -1], t=[2, 1]),
    ),
    "slice backwards": (
        helper.make_node("Slice", ["x", "s", "e", "a", "t"], ["y"]),
        numbers(s=[-1], e=[-9999], a=[3], t=[-2]),
    ),
    "pad": (
        helper.make_node("Pad", ["x", "p", "v"], ["y"]),
        {**numbers(p=[0, 0, 1, 2, 0, 0, 3, 4]), "v": np.float32(0.5)},
    ),
    "pad some axes": (
        helper.make_node("Pad", ["x", "p", "", "a"], ["y"], mode="reflect"),
        numbers(p=[1, 2, 3, 0], a=[3, -2]),
    ),
    "resize linear": (
        helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear"),
        {"s": np.array([1, 1, 2, 1.5], np.float32)},
    ),
    "resize to corners": (
        helper.make_node(
            "Resize",
            ["x", "", "", "n"],
            ["y"],
            mode="linear",
            coordinate_transformation_mode="align_corners",
        ),
        numbers(n=[1, 8, 11, 5]),
    ),
    "resize nearest": (
        helper.make_node("Resize", ["x", "", "s"], ["y"], mode="nearest"),
        {"s": np.array([1, 1, 2, 2], np.float32)},
    ),
    "resize nearest, by the floor": (
        helper.make_node(
            "Resize",
            ["x", "", "s"],
            ["y"],
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
        {"s": np.array([1, 1, 3, 2], np.float32)},
    ),
    "mean over axes": (
        helper.make_node("ReduceMean", ["x", "a"], ["y"], keepdims=1),
        numbers(a=[2, 3]),
    ),
    "group norm": (
        helper.make_node("GroupNormalization", ["x", "g", "b"], ["y"], num_groups=2),
        {"g": np.arange(8, dtype=np.float32), "b": np.ones(8, np.float32)},
    ),
    "gelu": (helper.make_node("Gelu", ["x"], ["y"]), {}),
    "mish": (helper.make_node("Mish", ["x"], ["y"]), {}),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_compute_what_onnxruntime_computes(tmp_path, name):
    node, weights = OPERATORS[name]
    model = onnx_model([node], [1, 8, 6, 4], weights, opset=21 if name == "group norm" else 20)
    x = np.random.default_rng(0).normal(size=(1, 8, 6, 4)).astype(np.float32)
    np.testing.assert_allclose(
        computed(tmp_path, model, x), by_onnxruntime(model, x), atol=1e-5, rtol=1e-5
    )


class Zoo(nn.Module):
    """What segmentation networks are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.norms = nn.Sequential(nn.GroupNorm(2, 8), nn.InstanceNorm2d(8, affine=True))
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.slopes = nn.PReLU()
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x):
        y = F.hardswish(F.gelu(self.norms(self.stem(x))))
        left, right = torch.split(y, 4, 1)
        y = torch.cat([self.slopes(left), F.leaky_relu(right)], 1)
        y = F.silu(y) * torch.sigmoid(y.mean((2, 3), keepdim=True))
        z = F.pad(self.up(F.avg_pool2d(y, 2)), (1, 1, 1, 1))[:, :, 1:-1, 1:-1]
        half = F.interpolate(z, scale_factor=0.5, mode="nearest")
        z = z + F.interpolate(half, size=z.shape[2:], mode="bilinear", align_corners=False)
        z = F.mish(z) + torch.amax(z, 1, keepdim=True)
        return self.shuffle(F.max_pool2d(torch.softmax(z, 1), 2))


@pytest.mark.parametrize("opset", [13, 17, 18, 20])
@pytest.mark.parametrize("kind", ["unet", "zoo", "lraspp"])
def test_networks_exported_by_torch(tmp_path, kind, opset):
    if kind == "zoo" and opset < 17:
        pytest.skip("group norm was written by shapes that nobody can infer")
    models = torchvision("torchvision.models.segmentation")
    module = {
        "unet": toys.unet,
        "zoo": Zoo,
        "lraspp": lambda: models.lraspp_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=4
        ),
    }[kind]().eval()
    x = torch.rand(1, 1 if kind == "unet" else 3, 32, 48)
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            module,
            (x,),
            buffer,
            opset_version=opset,
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": {2: "h", 3: "w"}},
        )
    (tmp_path / "net.onnx").write_bytes(buffer.getvalue())
    converted = load(tmp_path / "net.onnx", NOTHING).eval()
    wide = torch.rand(1, x.shape[1], 64, 32)
    for y in (x, wide):
        with torch.no_grad():
            expected = module(y)
            expected = expected["out"] if isinstance(expected, dict) else expected
            torch.testing.assert_close(converted(y), expected, atol=1e-5, rtol=1e-4)


def test_swish_is_one_operation(tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="net/stem/conv"),
        helper.make_node("Sigmoid", ["c"], ["s"], name="net/stem/sigmoid"),
        helper.make_node("Mul", ["s", "c"], ["y"], name="net/stem/mul"),
    ]
    weights = {"w": np.ones((2, 1, 1, 1), np.float32)}
    model = onnx_model(nodes, [1, 1, 4, 4], weights)
    graph = load(saved(tmp_path, model), NOTHING).graph
    assert [n.name for n in graph.nodes if n.op == "call_module"] == ["conv", "guideme_mul"]
    x = np.random.default_rng(0).normal(size=(1, 1, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(computed(tmp_path, model, x), by_onnxruntime(model, x), atol=1e-6)


def test_weights_that_are_computed_from_constants(tmp_path):
    nodes = [
        helper.make_node("Identity", ["w"], ["same"]),
        helper.make_node("Mul", ["same", "two"], ["double"]),
        helper.make_node("Conv", ["x", "double"], ["y"]),
    ]
    weights = {"w": np.ones((2, 1, 1, 1), np.float32), "two": np.float32(2)}
    y = computed(tmp_path, onnx_model(nodes, [1, 1, 2, 2], weights), np.ones((1, 1, 2, 2), "f"))
    assert (y == 2).all()


@pytest.mark.parametrize(
    ("shape", "entries", "channels_last"),
    [
        (("n", 1, "h", "w"), {"ndim": 2, "channels": 1}, False),
        ((1, 3, 64, 48), {"ndim": 2, "channels": 3, "size": (64, 48)}, False),
        ((1, 64, 48, 3), {"ndim": 2, "channels": 3, "size": (64, 48)}, True),
        (("n", 2, "d", "h", "w"), {"ndim": 3, "channels": 2}, False),
        (("n", "d", "h", "w", 1), {"ndim": 3, "channels": 1}, True),
    ],
)
def test_what_the_shape_tells(tmp_path, shape, entries, channels_last):
    card = guess(saved(tmp_path, dark_and_bright(shape)))
    assert dict(card.preparation) == entries
    assert card.channels_last is channels_last


def test_what_metadata_and_description_tell(tmp_path):
    model = dark_and_bright(doc_string="Trained on BGR, x/127.5 - 1, H, W = 16k+1. MIT.")
    helper.set_model_props(model, {"names": '{"0": "dark", "1": "bright"}'})
    card = guess(saved(tmp_path, model))
    assert card.classes == ("dark", "bright")
    assert card.licence == "MIT"
    assert card.description.startswith("Trained on")
    assert card.preparation["mean"] == card.preparation["std"] == (0.5,)
    assert card.preparation["bgr"] is True
    assert (card.preparation["multiple"], card.preparation["offset"]) == (16, 1)


FREE, FIXED = ("n", 1, "h", "w"), (1, 1, 64, 48)


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("Trained on 256x256 patches of 10k images.", FREE, {}),
        ("Patches of 256 x 256, 5k + 20 images, 100 n.", FREE, {}),
        ("Input N x 1 x 96 x 80.", FREE, {"size": (96, 80)}),
        ("Input 1x1x96x80.", FREE, {"size": (96, 80)}),
        ("Input N x 3 x 96 x 80.", FREE, {}),
        ("Input N x 1 x 96 x 80 x 64.", FREE, {}),
        ("Input N x 1 x 96 x 80, sides 16k+1.", FIXED, {"size": (64, 48)}),
        ("Sides are 16k+1.", FREE, {"multiple": 16, "offset": 1}),
        ("Takes H, W = 32 * n.", FREE, {"multiple": 32, "offset": 0}),
        ("Takes H, W = 32k + 8.", FREE, {"multiple": 32, "offset": 8}),
    ],
)
def test_sides_are_told_by_descriptions_that_are_clear(tmp_path, text, shape, expected):
    card = guess(saved(tmp_path, dark_and_bright(shape, doc_string=text)))
    assert dict(card.preparation) == {"ndim": 2, "channels": 1, **expected}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"classes": "3"}, ()),
        ({"classes": "true"}, ()),
        ({"labels": "null"}, ()),
        ({"names": ""}, ()),
        ({"classes": "[" * 100_000}, ()),
        ({"classes": "2", "names": "dark, bright"}, ("dark", "bright")),
        ({"names": "{0: 'dark', 1: 'bright'}"}, ("dark", "bright")),
        ({"names": "{1: 'bright', 0: 'dark'}"}, ("dark", "bright")),
        ({"names": '{"10": "c", "2": "b", "0": "a"}'}, ("a", "b", "c")),
        ({"names": "['dark', 'bright']"}, ("dark", "bright")),
        ({"names": "{dark, bright}"}, ("dark", "bright")),
        ({"names": '["dark", "bright"]'}, ("dark", "bright")),
        ({"names": '"dark,bright"'}, ("dark", "bright")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_class_names_in_metadata(tmp_path, metadata, expected):
    model = dark_and_bright()
    helper.set_model_props(model, metadata)
    assert guess(saved(tmp_path, model)).classes == expected


def read(path):
    return guess(path), load(path, NOTHING)


def refused(path):
    with pytest.raises(InputError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_operator_is_named(tmp_path):
    node = helper.make_node("Det", ["x"], ["y"])
    assert "not supported: Det" in refused(saved(tmp_path, onnx_model([node], [1, 1, 4, 4])))


def test_an_interpolation_that_torch_lacks_is_named(tmp_path):
    node = helper.make_node(
        "Resize", ["x", "", "s"], ["y"], mode="linear", coordinate_transformation_mode="asymmetric"
    )
    model = onnx_model([node], [1, 1, 4, 4], {"s": np.array([1, 1, 2, 2], np.float32)})
    assert "Resize with" in refused(saved(tmp_path, model))


def test_broken_files(tmp_path):
    whole = dark_and_bright().SerializeToString()
    file = tmp_path / "net.onnx"
    for content in (b"", b"not a network", whole[: len(whole) // 2], b"\x00" * 500):
        file.write_bytes(content)
        assert "net.onnx" in refused(file)


def test_wrong_shapes(tmp_path):
    model = dark_and_bright()
    model.graph.initializer[0].raw_data = b""
    assert "net.onnx" in refused(saved(tmp_path, model))
    assert "an input of 2 axes" in refused(
        saved(tmp_path, onnx_model([helper.make_node("Relu", ["x"], ["y"])], [1, 4]))
    )
    two = dark_and_bright()
    two.graph.input.append(helper.make_tensor_value_info("z", 1, [1]))
    assert "2 inputs" in refused(saved(tmp_path, two))


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "inside/../../secret"])
def test_data_outside_the_folder_are_not_read(tmp_path, location):
    (tmp_path / "secret").write_bytes(b"\0" * 64)
    folder = tmp_path / "network"
    folder.mkdir()
    model = dark_and_bright()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    told = refused(saved(folder, model))
    assert location in told
    assert "should be a relative path" in told or "points outside" in told


def test_data_in_the_folder_are_read(tmp_path):
    onnx.save(
        dark_and_bright(),
        tmp_path / "net.onnx",
        save_as_external_data=True,
        location="net.data",
        size_threshold=0,
    )
    assert (tmp_path / "net.data").is_file()
    with torch.no_grad():
        logits = load(tmp_path / "net.onnx", NOTHING)(torch.full((1, 1, 2, 2), 0.25))
    torch.testing.assert_close(logits[0, :, 0, 0], torch.tensor([1.5, 0.5]))
