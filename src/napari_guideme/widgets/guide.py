"""The dock widget: choose an image, run, click where it is wrong, keep the labels."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from napari import Viewer
from napari.layers import Image
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QEvent
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QPushButton

from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.guide_form import GuideForm
from napari_guideme.widgets.known import Known
from napari_guideme.widgets.status_line import ASKED, CLICK, OWN, UNLABELLED, told


class GuideWidget(GuideForm):
    """Correct a frozen segmentation network by clicks and scribbles."""

    def __init__(self, napari_viewer: Viewer) -> None:
        # napari hands its plugins a proxy, whose layers are other objects each time.
        viewer: Viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        super().__init__(viewer)
        self._told: WeakKeyDictionary[object, str] = WeakKeyDictionary()
        self._connect(viewer)
        self._connect_buttons()
        self._on_image()
        self._fill_tools()
        self._on_busy(False)
        self.controller.warm_up()

    def reset_choices(self, *_: object) -> None:
        """Offer the layers that the viewer has now, by their names; napari calls this, too."""
        self.image.reset_choices()
        self.objects.offer_sources()
        self._on_image()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop computing with the widget."""
        self.asking.asker.stop()
        self.words.stop()
        self.finding.seeker.stop()
        self._cancel()
        self.sessions.end()
        super().closeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """End when napari takes the widget out of its dock, which closes it in no other way."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.sessions.end()
        super().changeEvent(event)

    def _fill_tools(self) -> None:
        """Show the classes of the network, and only the tools that mean something to it."""
        objects, named = self.controller.outlines_objects, self.finding.seeker.finds is not None
        self._class_box.offer(self.controller.classes)
        self._order_keys()
        layers = self.controller.layers
        if layers is not None and layers.current_class in self.controller.classes:
            self._on_class(layers.current_class)
        self.words.offer()
        self.carry.look()
        self._tools.setVisible(self.card.isHidden() and (not self._is_finding or named))
        self.objects.setVisible(objects)
        for tool in (self.run, self.asking, self.changes, self.keep):
            tool.setVisible(not objects)
        self.overwrite.setVisible(not objects)
        self.as_objects.setVisible(not objects and not named)
        self.applying.setVisible(not objects and not named)
        self.advanced.show_guide_points(not objects and not named)
        self.advanced.offer_methods(self.controller.network.methods, self.controller.method)

    # -- events -------------------------------------------------------------

    def _connect(self, viewer: Viewer) -> None:
        self.image.changed.connect(self._on_image)
        self.channels.declared.connect(self._declare_channels)
        self.tabs.currentChanged.connect(self._on_tab)
        self.finding.seeker.chosen.connect(self._on_name)
        self.finding.seeker.busy.connect(self._on_busy)
        self.finding.told.connect(self.status.setText)
        self.network.chosen.connect(self._on_network)
        self.network.edit.clicked.connect(lambda: self._edit())
        self.opener.opened.connect(self._on_opened)
        self.opener.tried.connect(lambda _: self._fill_tools())
        self.opener.problem.connect(show_error)
        self.opener.busy.connect(self._on_busy)
        self.opener.downloaded.connect(self._on_downloaded)
        self.card.closed.connect(self._on_card)
        self.changes.toggled.connect(self.controller.set_show_changes)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self.reset_choices)
        for event in (viewer.dims.events.current_step, viewer.dims.events.order):
            event.connect(self._on_slice)
        self.controller.refined.connect(self._on_refined)
        self.controller.problem.connect(show_error)
        self.controller.elsewhere.connect(self._choose_labelled)
        self.controller.other_pixels.connect(self._on_other_pixels)
        self.controller.busy.connect(self._on_busy)
        self.controller.busy.connect(self.hand.follow)
        self.controller.keeper.kept.connect(self._on_kept)
        self.controller.class_changed.connect(self._on_class)
        self.carry.carrier.changed.connect(self._on_carried)
        self._class_box.chosen.connect(self.hand.choose_class)
        self.asking.asker.asking.connect(self._on_asking)
        self.objects.told.connect(self.status.setText)
        self.objects.ready.connect(self.hand.use_clicks)
        self.sessions.wanted.connect(self._choose_image)
        self.sessions.resumer.chosen.connect(lambda _: self._show_network())
        self.sessions.resumer.resumed.connect(self.hand.use_clicks)
        self.carriers = self.carry.carrier, self.objects.mode.carrier
        for part in (self.sessions.resumer, *self.carriers, self.applying):
            part.busy.connect(self._on_busy)

    def _connect_buttons(self) -> None:
        controller, hand = self.controller, self.hand
        actions: list[tuple[QPushButton, Callable[[], object]]] = [
            (self.run, self._run),
            (self.cancel, self._cancel),
            (self.point, hand.use_clicks),
            (self.paint, hand.use_scribbles),
            (self.undo, controller.undo),
            (self.redo, controller.redo),
            (self.clear, controller.clear),
            (self.keep, self._keep),
        ]
        for button, action in actions:
            # Qt would tell the action whether the button is checked.
            button.clicked.connect(lambda _, action=action: action())

    def _on_image(self, *_: object) -> None:
        image = self.image.value
        if image is not self.controller.image:
            self.asking.asker.stop()
            self.controller.choose_image(image)
            self._begin(image)
        self._enable()

    def _on_other_pixels(self, image: Image) -> None:
        self.asking.asker.stop()
        self._begin(image)
        self._enable()

    def _begin(self, image: Image | None) -> None:
        """Say how to begin with an image, or go on with it."""
        self.channels.look(image)
        self.cover.look()
        self._tell()
        self.card.look()
        self._begin_objects()
        self.finding.seeker.look()
        self.words.look()
        self.carry.look()
        self.objects.look()
        self.sessions.look()

    def _declare_channels(self, axis: int | None) -> None:
        """Begin anew with the image, of which another part is one picture now."""
        self._cancel()
        self.sessions.recovery.forget()
        self.controller.reported(lambda: self._choose_with_channels(axis))
        self.channels.look(self.image.value)

    def _choose_with_channels(self, axis: int | None) -> None:
        self.image.value = self.controller.declare_channels(self.image.value, axis)
        self._on_image()

    def _choose_image(self, image: Image, is_finding: bool) -> None:
        self.tabs.setCurrentIndex(int(is_finding))
        self.image.value = image
        self._on_image()

    def _choose_labelled(self, image: Image) -> None:
        """Follow the user to another image."""
        self._choose_image(image, self._is_finding)

    def _on_network(self, label: str) -> None:
        self.asking.asker.stop()
        self.controller.choose_network(self.controller.networks[label])
        self._show_network()
        if self.controller.session is not None:
            self.controller.run()
        self._begin_objects()

    def _on_tab(self, _: int) -> None:
        self._by_network.setVisible(not self._is_finding)
        self.finding.setVisible(self._is_finding)
        seeker = self.finding.seeker
        seeker.enter() if self._is_finding else seeker.leave()
        self._show_network()

    def _on_name(self) -> None:
        """Show the tools for a name that is looked for now."""
        self.asking.asker.stop()
        self._show_network()
        if self.finding.seeker.finds is not None:
            self.hand.use_clicks()

    def _begin_objects(self) -> None:
        """Have network and tool at hand for the first click on an object."""
        if self.controller.outlines_objects and self.controller.image is not None:
            self.controller.run()
            self.hand.use_clicks()

    def _show_network(self) -> None:
        """Show what is chosen: its name, its classes, and nothing of the one before."""
        self.network.refresh()
        self._fill_tools()
        self.advanced.forget_guide_points()
        self.objects.offer_sources()
        self._tell()
        self._enable()

    def _on_opened(self, known: Known) -> None:
        self.asking.asker.stop()
        self._show_network()
        if known.assumed:
            self._edit()
        else:
            self._begin_objects()

    def _edit(self) -> None:
        """Show the card in place of the tools; the picture stays to be seen."""
        self.asking.asker.stop()
        self.card.edit()
        self._on_card()

    def _on_card(self) -> None:
        editing = not self.card.isHidden()
        self._enable()
        self._fill_tools()
        if not editing and self.controller.layers is not None:
            self.status.show_labelled()
            self.hand.use_clicks()

    def _on_class(self, name: str) -> None:
        self._class_box.check(self.controller.classes.index(name))

    def _on_slice(self, *_: object) -> None:
        self._tell()
        self.words.look()
        self.objects.look()
        self._enable()

    def _tell(self) -> None:
        """Say how it stands with what is shown, or how to begin."""
        session = self.controller.session
        if self._is_finding and self.finding.seeker.finds is None:
            self.status.begin()
        elif session in self._told:
            self.status.setText(self._told[session])
        elif self.carry.is_labelled:
            self.status.show_labelled()
        else:
            self.status.begin()
        self.status.show_asking(self.asking.asker.is_asking)

    def _on_carried(self) -> None:
        """Notice that the slice that is shown got labels meanwhile."""
        if self.status.text() == UNLABELLED:
            self._tell()
        self._enable()

    def _on_asking(self, asking: bool) -> None:
        """Show one set of classes at a time."""
        for tool in (self._class_box, self.point, self.paint, self.words):
            tool.setVisible(not asking)
        self.status.show_asking(asking)

    def _on_busy(self, _: bool) -> None:
        busy = self.controller.job.is_busy or self.opener.is_busy
        busy = busy or self.sessions.resumer.is_busy or self.finding.seeker.is_loading
        busy = busy or self.applying.is_busy or any(c.is_busy for c in self.carriers)
        self._tools.setEnabled(not self.sessions.resumer.is_busy)
        self.status.show_opening(self.opener.is_opening)
        self.status.show_running(self.controller.job.is_busy)
        if not self.opener.is_opening:
            self.progress.show_busy()
        self.progress.setVisible(busy)
        self.cancel.setVisible(busy)
        self._enable()

    def _on_kept(self, count: int) -> None:
        show_info(f"Labels kept: {count}" if count else "There is nothing new to keep.")

    def _on_downloaded(self, done: int, total: int) -> None:
        """Show how far it is, unless it was cancelled meanwhile; what comes then takes a while."""
        if self.opener.is_opening:
            self.status.show_downloaded(done, total)
            if done < total:
                self.progress.show_share(done / total)
            else:
                self.progress.show_busy()

    def _on_refined(self, outcome: Outcome) -> None:
        without = ASKED if self.asking.asker.is_asking else CLICK
        without = without if self.card.isHidden() else OWN
        if self.finding.seeker.finds is not None:
            without = self.finding.describe(outcome)
        if self.controller.outlines_objects:
            self.status.setText(self.objects.describe(outcome))
        else:
            self.status.setText(told(outcome) if outcome.report.hints else without)
        text = self.status.text()
        self._told[outcome.session] = CLICK if text in (ASKED, OWN) else text
        self.advanced.offer_guide_points(outcome.session.network)
        self._enable()

    def _enable(self) -> None:
        session = self.controller.session
        free = self.card.isHidden() and not self.opener.is_opening
        self.network.setEnabled(free)
        resuming = self.sessions.resumer.is_busy
        self.tabs.setEnabled(free and not resuming)
        self.finding.setEnabled(not resuming)
        self.run.setEnabled(self.controller.image is not None and not resuming)
        self.undo.setEnabled(self.controller.steps.can_undo)
        self.redo.setEnabled(self.controller.steps.can_redo)
        self.clear.setEnabled(session is not None and len(session.hints) > 0)
        self.keep.setEnabled(self.controller.keeper.has_labels)
        self.objects.next.setEnabled(session is not None)

    # -- what buttons do ----------------------------------------------------

    def _cancel(self) -> None:
        self.controller.cancel()
        self.opener.cancel()
        self.finding.seeker.stop()
        for carrier in self.carriers:
            carrier.cancel()
        self.applying.cancel()
        self.sessions.stop()

    def _run(self) -> None:
        self.controller.run()
        self.hand.use_clicks_soon()

    def _keep(self) -> None:
        named = self.finding.seeker.finds is not None
        self.controller.keeper.keep(
            as_objects=self.as_objects.isChecked() and not named,
            overwrite=self.overwrite.isChecked(),
        )
