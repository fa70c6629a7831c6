from __future__ import annotations

import json

import numpy as np
import pytest
from napari.layers import Image, Labels
from safetensors.torch import safe_open, save_file

from napari_guideme.widgets.apply_panel import ImageDialog
from napari_guideme.widgets.geometry import geometry

from .conftest import finish, open_widget
from .test_carrying import correct, settle, stack  # noqa: F401


@pytest.fixture
def other(nuclei) -> Image:
    """A short stack that lies obliquely in the world."""
    affine = np.array([[1, 0, 0, 2], [0, 0.8, -0.6, 5], [0, 0.6, 0.8, -3], [0, 0, 0, 1]])
    return Image(
        nuclei[2:5],
        name="other",
        scale=(4.0, 2.0, 2.0),
        translate=(1, 2, 3),
        shear=[0.0, 0.0, 0.2],
        affine=affine,
        units=("um", "um", "um"),
        axis_labels=("z", "y", "x"),
        metadata={"source": "scanner"},
    )


def results(viewer) -> list[Labels]:
    return [x for x in viewer.layers if x.name.startswith("applied correction")]


def test_a_correction_is_applied_to_other_layers(stack, viewer, other, nuclei, qtbot):  # noqa: F811
    correct(qtbot, stack)
    viewer.add_layer(other)
    flat = viewer.add_image(nuclei[0], name="flat", visible=False)
    panel = stack.applying
    with qtbot.waitSignal(panel.job.done, timeout=120_000):
        panel.apply_present([other, flat])
    settle(qtbot, stack)
    assert len(results(viewer)) == 2
    for layer, image in zip(
        sorted(results(viewer), key=lambda x: -x.ndim), (other, flat), strict=True
    ):
        assert layer.data.shape == image.data.shape
        assert layer.data.any()
        assert layer.visible == image.visible
        for key, value in geometry(image).items():
            now = geometry(layer)[key]
            if key == "affine":
                np.testing.assert_allclose(now.affine_matrix, value.affine_matrix, atol=1e-6)
            elif key in ("units", "axis_labels", "metadata"):
                assert now == value
            else:
                np.testing.assert_allclose(now, value, atol=1e-6)
    assert "other: it fits" in panel.told.text()
    assert "flat: " in panel.told.text()


def test_a_saved_correction_does_what_the_present_one_does(
    stack,  # noqa: F811
    viewer,
    other,
    qtbot,
    tmp_path,
):
    correct(qtbot, stack)
    viewer.add_layer(other)
    panel, path = stack.applying, tmp_path / "mine.guidance.safetensors"
    with qtbot.waitSignal(panel.job.done, timeout=120_000):
        panel.save_to(tmp_path / "mine")
    assert path.is_file()
    for apply in (panel.apply_present, lambda images: panel.apply_file(images, path)):
        with qtbot.waitSignal(panel.job.done, timeout=120_000):
            apply([other])
        settle(qtbot, stack)
    first, second = results(viewer)
    np.testing.assert_array_equal(first.data, second.data)


def test_a_correction_of_another_network_is_refused_by_name(
    stack,  # noqa: F811
    viewer,
    other,
    qtbot,
    tmp_path,
):
    correct(qtbot, stack)
    viewer.add_layer(other)
    panel, path = stack.applying, tmp_path / "mine.guidance.safetensors"
    with qtbot.waitSignal(panel.job.done, timeout=120_000):
        panel.save_to(path)
    with safe_open(path, "pt") as file:
        content = json.loads(file.metadata()["guidance"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    content |= {"network": "somebody's network", "fingerprint": "0" * 64}
    save_file(tensors, path, {"guidance": json.dumps(content)})
    with qtbot.waitSignal(stack.controller.problem, timeout=60_000) as caught:
        panel.apply_file([other], path)
    assert "somebody's network" in caught.args[0]
    settle(qtbot, stack)
    assert not results(viewer)


def test_a_cancel_leaves_no_half_labelled_layer(stack, viewer, other, qtbot):  # noqa: F811
    correct(qtbot, stack)
    other.data = np.concatenate([other.data] * 8)
    viewer.add_layer(other)
    with qtbot.waitSignal(stack.applying.job.stepped, timeout=60_000):
        stack.applying.apply_present([other])
    stack.cancel.click()
    settle(qtbot, stack)
    assert not results(viewer)


def test_without_labels_no_file_is_asked_for(viewer, tissue, qtbot):
    viewer.add_image(tissue, rgb=True)
    widget = open_widget(viewer, qtbot)
    with qtbot.waitSignal(widget.controller.problem) as told:
        widget.applying.save.click()
    assert "no correction yet" in told.args[0]
    assert widget.applying.dialog is None


def test_without_a_correction_nothing_can_be_saved(stack, viewer, other, qtbot, tmp_path):  # noqa: F811
    with qtbot.waitSignal(stack.controller.problem, timeout=60_000) as caught:
        stack.applying.save_to(tmp_path / "none")
    assert "no correction" in caught.args[0]
    assert not list(tmp_path.iterdir())


def test_a_correction_of_a_picture_can_be_saved(viewer, tissue, qtbot, tmp_path):
    viewer.add_image(tissue, rgb=True, name="tissue")
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    assert widget.carry.isHidden()
    widget.controller.choose_class("nucleus")
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add((60.0, 70.0)))
    with qtbot.waitSignal(widget.applying.job.done, timeout=60_000):
        widget.applying.save_to(tmp_path / "mine")
    from napari_guideme import SavedGuidance

    saved = SavedGuidance.read(tmp_path / "mine.guidance.safetensors")
    assert len(saved.corrected[0].hints) == 1


def test_the_list_offers_the_other_images(qtbot, viewer, other, nuclei):
    flat = Image(nuclei[0], name="flat")
    dialog = ImageDialog([flat, other], flat, None)
    qtbot.addWidget(dialog)
    assert dialog.chosen == [other]
