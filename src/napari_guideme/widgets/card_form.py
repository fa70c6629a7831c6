"""The entries of a card as fields, in words of those who look at pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.preparation import Preparation
from napari_guideme.widgets.colours import class_colours

#: Rows of the table that are seen at once.
ROWS = 6

#: Value ranges in plain words, and what each does.
RANGES = {
    "percentile": (
        "stretch the contrast",
        "The darkest pixels of each image become 0, the brightest 1; usual in microscopy.",
    ),
    "dtype": (
        "0-255 becomes 0-1",
        "8-bit images are divided by 255, 16-bit ones by 65535; usual for photographs.",
    ),
    "standardised": (
        "around 0",
        "Each image gets mean 0 and deviation 1; usual for CT and MR (MONAI, nnU-Net).",
    ),
    "none": ("as it is", "The network gets the numbers that are in the file."),
    "limits": (
        "between two limits",
        "The lower limit becomes 0, the upper one 1, values beyond are cut off; usual for CT.",
    ),
}
ORDERS = {
    "red, green, blue": "The order of nearly all images",
    "blue, green, red": "The order of OpenCV and Caffe",
}
NO_SEPARATOR = "none"

#: Columns of the table beside the colour: the name, and how much of the picture the class has.
NAME, SHARE = 1, 2


class CardForm(QWidget):
    """Fields for what a network's file seldom says.

    Signals
    -------
    changed
        The user changed a field; :meth:`card` reads them all.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._card = NetworkCard()
        self._shares: NDArray[np.floating] = np.empty(0)
        self.names = QTableWidget(0, 3)
        self.value_range = QComboBox()
        self.range_hint = QLabel(wordWrap=True)
        for index, (text, hint) in enumerate(RANGES.values()):
            self.value_range.addItem(text)
            self.value_range.setItemData(index, hint, Qt.ItemDataRole.ToolTipRole)
        self.order = QComboBox()
        for index, (text, hint) in enumerate(ORDERS.items()):
            self.order.addItem(text)
            self.order.setItemData(index, hint, Qt.ItemDataRole.ToolTipRole)
        self.separator = QComboBox()
        self.limits = QWidget()
        self.lower, self.upper = QLineEdit(), QLineEdit()
        self.percentiles, self.scale, self.mean, self.std = (QLineEdit() for _ in range(4))
        self.channels, self.size = QLineEdit(), QLineEdit()
        self.per_channel = QCheckBox("each channel by itself")
        self._explain()
        self._lay_out()
        self._connect()

    # -- reading and showing ------------------------------------------------

    def show_card(self, card: NetworkCard) -> None:
        """Fill the fields; this is no change by the user."""
        self._card = card
        self.blockSignals(True)
        preparation = Preparation.from_dict(card.preparation)
        self._show_classes(card)
        self.value_range.setCurrentIndex(list(RANGES).index(preparation.value_range))
        self.order.setCurrentIndex(int(preparation.bgr))
        for field, limit in zip((self.lower, self.upper), preparation.limits, strict=True):
            _fill(field, _text((limit,)))
        _fill(self.percentiles, _text(preparation.percentiles))
        self.per_channel.setChecked(preparation.per_channel)
        _fill(self.scale, _text((preparation.scale,)))
        _fill(self.mean, _text(preparation.mean))
        _fill(self.std, _text(preparation.std))
        _fill(self.channels, str(preparation.channels))
        _fill(self.size, _text(preparation.size or ()))
        self._enable(preparation)
        self.blockSignals(False)

    def show_shares(self, shares: NDArray[np.floating]) -> None:
        """Say which classes are in the picture, and bring the first of them into view."""
        self.blockSignals(True)
        for row, share in enumerate(shares[: self._count]):
            seen = QTableWidgetItem(_percent(share))
            seen.setFlags(Qt.ItemFlag.ItemIsEnabled)
            seen.setToolTip("How much of the picture it has")
            self.names.setItem(row, SHARE, seen)
        self.blockSignals(False)
        moved, self._shares = not np.array_equal(shares, self._shares), shares
        if moved and shares[1:].any():
            self.names.scrollToItem(self.names.item(int(shares[1:].argmax()) + 1, NAME))

    def card(self) -> NetworkCard:
        """Read the fields.

        Raises
        ------
        InputError
            If one holds something that cannot be used; the message names it.
        """
        classes = tuple(self.names.item(row, NAME).text().strip() for row in range(self._count))
        if unnamed := [index for index, name in enumerate(classes) if not name]:
            raise InputError(f"class {unnamed[0]} has no name; every class needs one")
        separator = self.separator.currentIndex() - 1
        known = Preparation.from_dict(self._card.preparation)
        preparation = replace(
            known,
            value_range=list(RANGES)[self.value_range.currentIndex()],
            bgr=self.order.currentIndex() == 1,
            limits=(_one("lower limit", self.lower), _one("upper limit", self.upper)),
            percentiles=_numbers("percentiles", self.percentiles),
            per_channel=self.per_channel.isChecked(),
            scale=_one("multiply by", self.scale),
            mean=_numbers("subtract", self.mean),
            std=_numbers("divide by", self.std),
            channels=int(_one("channels", self.channels, _whole)),
            size=_whole("resize to", self.size) or None,
        )
        return replace(
            self._card,
            classes=classes,
            separator=classes[separator] if separator >= 0 else None,
            # Whole, so that a file that says otherwise does not count.
            preparation={k: v for k, v in asdict(preparation).items() if v not in (None, ())},
        )

    # -- parts --------------------------------------------------------------

    @property
    def _count(self) -> int:
        return len(self._card.classes)

    def _show_classes(self, card: NetworkCard) -> None:
        self.names.setRowCount(len(card.classes))
        colours = class_colours(len(card.classes))
        for row, (name, colour) in enumerate(zip(card.classes, colours, strict=True)):
            item = self.names.item(row, NAME)
            # A name that stands there already stays: somebody may be typing.
            if item is None or item.text() != name:
                self.names.setItem(row, NAME, QTableWidgetItem(name))
            # The background is not tinted in the picture.
            tint = f"background: {colour};" if row else "border: 1px dashed gray;"
            self.names.setCellWidget(row, 0, QLabel(styleSheet=f"{tint} margin: 4px;"))
        height = self.names.verticalHeader().defaultSectionSize()
        self.names.setFixedHeight(height * min(len(card.classes), ROWS) + 4)
        self.separator.clear()
        self.separator.addItems([NO_SEPARATOR, *card.classes])
        chosen = card.classes.index(card.separator) + 1 if card.separator else 0
        self.separator.setCurrentIndex(chosen)

    def _enable(self, preparation: Preparation) -> None:
        """Only what has an effect can be changed."""
        self.range_hint.setText(RANGES[preparation.value_range][1])
        colour = preparation.channels == 3
        self.order.setEnabled(colour)
        self.limits.setVisible(preparation.value_range == "limits")
        self.percentiles.setEnabled(preparation.value_range == "percentile")
        measured = preparation.value_range in ("percentile", "standardised")
        self.per_channel.setEnabled(measured and preparation.channels > 1)

    def _explain(self) -> None:
        self.names.setToolTip("Click a name to change it. The first class is the background.")
        self.separator.setToolTip("A class that only parts objects that touch, if there is one")
        self.lower.setToolTip("The value that becomes 0, for example -1000")
        self.upper.setToolTip("The value that becomes 1, for example 400")
        self.percentiles.setToolTip("Percentiles that become 0 and 1, for example 1, 99.8")
        self.scale.setToolTip("One number; the values are multiplied by it first")
        self.mean.setToolTip("One number, or one for each channel: 0.485, 0.456, 0.406")
        self.std.setToolTip("One number, or one for each channel: 0.229, 0.224, 0.225")
        self.per_channel.setToolTip("Percentiles, or mean and deviation, of each channel apart")
        self.channels.setToolTip("1 for grey, 3 for colour, or what the image has")
        self.size.setToolTip("Rows, columns; empty if the network takes every size")

    def _lay_out(self) -> None:
        self.names.setEditTriggers(QTableWidget.EditTrigger.AllEditTriggers)
        self.names.horizontalHeader().hide()
        self.names.verticalHeader().hide()
        self.names.setColumnWidth(0, 34)
        self.names.setColumnWidth(SHARE, 56)
        self.names.horizontalHeader().setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        self.names.verticalHeader().setDefaultSectionSize(26)
        form = QFormLayout()
        form.addRow("Values", self.value_range)
        form.addRow(self.range_hint)
        limits = QFormLayout(self.limits)
        limits.setContentsMargins(0, 0, 0, 0)
        limits.addRow("Lower limit", self.lower)
        limits.addRow("Upper limit", self.upper)
        form.addRow(self.limits)
        form.addRow("Colours", self.order)
        form.addRow("Separator", self.separator)
        advanced = QWidget()
        more = QFormLayout(advanced)
        more.addRow("Percentiles", self.percentiles)
        more.addRow(self.per_channel)
        more.addRow("Multiply by", self.scale)
        more.addRow("subtract", self.mean)
        more.addRow("divide by", self.std)
        more.addRow("Channels", self.channels)
        more.addRow("Resize to", self.size)
        fold = QCollapsible("More about values and size")
        fold.addWidget(advanced)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.names)
        column.addLayout(form)
        column.addWidget(fold)

    def _connect(self) -> None:
        self.names.itemChanged.connect(lambda _: self.changed.emit())
        for combo in (self.value_range, self.order, self.separator):
            combo.activated.connect(lambda _: self.changed.emit())
        self.per_channel.clicked.connect(lambda _: self.changed.emit())
        for line in (
            *(self.lower, self.upper, self.percentiles, self.scale, self.mean, self.std),
            *(self.channels, self.size),
        ):
            line.editingFinished.connect(partial(self._on_edited, line))

    def _on_edited(self, field: QLineEdit) -> None:
        """Leaving a field as it was is no change."""
        if field.isModified():
            field.setModified(False)
            self.changed.emit()


def _fill(field: QLineEdit, text: str) -> None:
    """Show a text, unless somebody is typing another one."""
    if not (field.hasFocus() and field.isModified()):
        field.setText(text)


def _percent(share: float) -> str:
    return "" if not share else f"{share:.0%}" if share >= 0.01 else "< 1%"


def _text(values: tuple[Any, ...]) -> str:
    return ", ".join(f"{value:.10g}" for value in values)


def _numbers(name: str, field: QLineEdit) -> Any:
    """Numbers of a field, with commas or blanks between them."""
    parts = field.text().replace(",", " ").split()
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        raise InputError(f"{name}: {field.text()!r} is not a list of numbers") from None


def _one(name: str, field: QLineEdit, read: Callable[[str, QLineEdit], Any] = _numbers) -> float:
    numbers = read(name, field)
    if len(numbers) != 1:
        raise InputError(f"{name}: {field.text()!r} is not one number")
    return float(numbers[0])


def _whole(name: str, field: QLineEdit) -> tuple[int, ...]:
    numbers = _numbers(name, field)
    if any(number % 1 != 0 for number in numbers):
        raise InputError(f"{name}: {field.text()!r} are not whole numbers")
    return tuple(map(int, numbers))
