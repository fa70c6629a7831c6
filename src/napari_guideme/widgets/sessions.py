"""The sessions of the slices that were worked on last: found, opened, refined, carried on.

Slices of a stack are in one `VolumeSession`, which carries their corrections on; any
other image has a session of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from napari.layers import Layer

from napari_guideme.errors import InputError
from napari_guideme.hints import Hint
from napari_guideme.session_file import (
    FileReference,
    Part,
    Search,
    Setup,
    digest,
    load_text_guide,
    open_session,
    reopened,
)
from napari_guideme.spacing import proportions
from napari_guideme.widgets.exchange import Outcome, tell
from napari_guideme.widgets.known import Choice, Known, Networks
from napari_guideme.widgets.rearranged import full_resolution
from napari_guideme.widgets.slices import Slice
from napari_guideme.widgets.sought import Sought, channel_axis, check_channels
from napari_guideme.widgets.stacks import Stack

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.guidance.saved import SavedGuidance
    from napari_guideme.language.text_guide import TextGuide
    from napari_guideme.localize.finding import Found
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.referring.following import Followed
    from napari_guideme.session import GuideSession
    from napari_guideme.session_file.replaying import AnySession
    from napari_guideme.volumes import VolumeSession
    from napari_guideme.volumes.inherited import Inherited

#: Images whose session, with its history, is kept; and stacks.
LIMIT, STACKS = 8, 4

T = TypeVar("T")


@dataclass(frozen=True)
class Opened:
    """A session, and what it was opened with.

    Attributes
    ----------
    part, session, setup
        What is shown, its session, and how that was opened.
    inherited
        Of a slice, what was carried to it before.
    search, found
        What was looked for, and what was found, if anything was.
    begun
        Number of the entry of its history after hints that were there already had been told.
    """

    part: Slice
    session: AnySession
    setup: Setup
    inherited: Inherited | None = None
    search: Search | None = None
    found: Found | Followed | None = None
    begun: int = 0

    @cached_property
    def sha256(self) -> str:
        """Of the pixels, which are read; for many of them this takes a while."""
        return digest(self.part.pixels())


@dataclass(frozen=True)
class OpenedStack:
    """The session of a stack, and what it was opened with."""

    stack: Stack
    volume: VolumeSession
    setup: Setup


class Sessions:
    """Keeps one session for each image or stack and choice of network, of the last few.

    They may be asked from several threads: one computes at a time.
    """

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._kept: OrderedDict[Any, Opened] = OrderedDict()
        self._stacks: OrderedDict[Any, OpenedStack] = OrderedDict()
        self._turn = Lock()
        # For moments only: the GUI thread never waits for what is computed in turn.
        self._shelf = Lock()

    def find(self, choice: Choice, part: Slice) -> AnySession | None:
        """Return the session of a slice, if it was opened."""
        opened = self.opened(choice, part)
        return opened.session if opened else None

    def opened(self, choice: Choice, part: Slice) -> Opened | None:
        """Return the session of a slice, if it was opened, and with what it was."""
        stack = _stack_of(choice, part)
        if stack is None:
            return self._kept.get(_key(choice, part))
        known = self._stacks.get(_stack_key(choice, stack))
        session = known.volume.opened(stack.index) if known else None
        if known is None or session is None:
            return None
        return Opened(part, session, known.setup, known.volume.inherited(stack.index))

    def volume(self, choice: Choice, stack: Stack) -> VolumeSession | None:
        """Return the session of a stack, if it was opened."""
        known = self._stacks.get(_stack_key(choice, stack))
        return known.volume if known else None

    def refined(
        self, choice: Choice, part: Slice, hints: list[Hint], method: str
    ) -> Generator[Step, None, Outcome]:
        """Refine a slice, in the background; one without a session gets one with these hints."""
        session = self.find(choice, part)
        if session is None:
            with self._turn:
                session = self._open(choice, part, hints, method)
        yield from self.in_turn(session.refine())
        with self._turn:
            self._spare(choice, part)
            opened = self.opened(choice, part)
            return Outcome.of(part, session, opened.found if opened else None)

    def replayed(self, choice: Choice, part: Slice, saved: Part) -> Generator[Step, None, Outcome]:
        """Do again what was done to a slice, in the background."""
        if saved.search is not None:
            with self._turn:
                saved.checked_pixels(full_resolution(part.layer))
                opened = self._found(choice, part, saved.search, saved.setup)
            yield from self.in_turn(opened.session.replay(saved.history))
            with self._turn:
                self._remember(choice, opened)
                return Outcome.of(part, opened.session, opened.found)
        network = self._networks.load(choice.network, choice.device)
        used = saved.setup.text_guide
        guide = load_text_guide(used, choice.network.source, network) if used else None
        stack = _stack_of(choice, part)
        if stack is None:
            session = reopened(saved, network, full_resolution(part.layer), guide)
            yield from self.in_turn(session.replay(saved.history))
            with self._turn:
                self._remember(choice, Opened(part, session, saved.setup))
                return Outcome.of(part, session)
        with self._turn:
            volume = self.opened_stack(choice, stack).volume
            volume.inherit(stack.index, saved.inherited)
            if network.preparation.ndim == 2:
                session = reopened(saved, network, full_resolution(part.layer), guide)
            elif saved.matches(full_resolution(part.layer)):
                session = volume.session(stack.index)
            else:
                raise InputError(f"{part.layer.name} was changed since the session was saved")
        yield from self.in_turn(session.replay(saved.history))
        with self._turn:
            volume.adopt(stack.index, cast("GuideSession", session))
            return Outcome.of(part, session)

    def guidance(self, choice: Choice, part: Slice) -> SavedGuidance:
        """Return what was found in an image, or in the stack of a slice; this can take seconds.

        Raises
        ------
        InputError
            If nothing was corrected.
        """
        stack = _stack_of(choice, part)
        alone = cast("GuideSession | None", self.find(choice, part))
        source = self.volume(choice, stack) if stack is not None else alone
        if source is None:
            raise InputError("there is no correction yet: click where the labels are wrong")
        with self._turn:
            return source.guidance()

    def in_turn(self, steps: Iterator[T]) -> Generator[T, None, Any]:
        """Go on with steps while nothing else is computed, and let others in between two."""
        while True:
            with self._turn:
                try:
                    step = next(steps)
                except StopIteration as end:
                    return end.value
            yield step

    def all_of(self, known: Known) -> list[Opened]:
        """Return the sessions of all slices of images that were opened with a network."""
        with self._shelf:
            return [opened for key, opened in self._kept.items() if key[0].network is known]

    def forget(self, layer: Layer) -> None:
        """Drop the sessions of an image."""
        with self._shelf:
            for key in [key for key, opened in self._kept.items() if opened.part.layer is layer]:
                del self._kept[key]
            for key in [key for key, known in self._stacks.items() if known.stack.layer is layer]:
                del self._stacks[key]

    def forget_network(self, known: Known) -> None:
        """Drop the sessions of a network as one card described it."""
        with self._shelf:
            for kept in (self._kept, self._stacks):
                for key in [key for key in kept if key[0].network is known]:
                    del kept[key]

    def clear(self) -> None:
        """Drop all sessions."""
        with self._shelf:
            self._kept.clear()
            self._stacks.clear()

    def opened_stack(self, choice: Choice, stack: Stack) -> OpenedStack:
        """Return the session of a stack, opened now if it was not; this can take seconds."""
        from napari_guideme.volumes import VolumeSession

        key = _stack_key(choice, stack)
        known = self._stacks.get(key)
        if known is None:
            network, guide, setup = self._setup(choice, stack.part)
            volume = VolumeSession(
                stack.volume,
                network,
                axis=stack.axes.index(stack.axis),
                channel_axis=setup.channel_axis,
                spacing=stack.spacing,
                guide_point=choice.guide_point,
                telling=choice.telling,
                text_guide=guide,
            )
            known = OpenedStack(stack, volume, setup)
            with self._shelf:
                self._stacks[key] = known
                while len(self._stacks) > STACKS:
                    self._stacks.popitem(last=False)
        return known

    def _open(self, choice: Choice, part: Slice, hints: list[Hint], method: str) -> AnySession:
        stack = _stack_of(choice, part)
        if stack is not None:
            session: AnySession = self.opened_stack(choice, stack).volume.session(stack.index)
            tell(session, hints, method)
            return session
        if isinstance(choice.network, Sought):
            setup = Setup(channel_axis=channel_axis(part), spacing=part.spacing)
            opened = self._found(choice, part, choice.network.seen(part), setup)
            tell(opened.session, hints, method)
            self._remember(choice, replace(opened, begun=opened.session.moment.entry))
            return opened.session
        network, guide, setup = self._setup(choice, part)
        session = open_session(setup, network, part.pixels(), guide)
        session.predict()
        tell(session, hints, method)
        self._remember(choice, Opened(part, session, setup))
        return session

    def _found(self, choice: Choice, part: Slice, search: Search, setup: Setup) -> Opened:
        """Look for something in a slice."""
        sought = cast("Sought", choice.network)
        found, session = sought.begin(search, setup, part.pixels(), choice.device)
        return Opened(part, session, setup, search=search, found=found)

    def _setup(self, choice: Choice, part: Slice) -> tuple[FrozenNetwork, TextGuide | None, Setup]:
        network = self._networks.load(choice.network, choice.device)
        check_channels(network, part)
        guide = None if network.interaction else self._networks.text_guide(choice)
        setup = Setup(
            channel_axis=channel_axis(part),
            guide_point=choice.guide_point,
            telling=choice.telling,
            text_guide=_guide_file(choice) if guide else None,
            spacing=part.spacing,
        )
        return network, guide, setup

    def _remember(self, choice: Choice, opened: Opened) -> None:
        """Keep a session; the oldest slices go when there are too many."""
        with self._shelf:
            self._kept[_key(choice, opened.part)] = opened
            places = list(dict.fromkeys(map(_place, self._kept)))
            for key in [key for key in self._kept if _place(key) in places[:-LIMIT]]:
                del self._kept[key]

    def _spare(self, choice: Choice, part: Slice) -> None:
        """Give back memory of what was found otherwise in a slice; undo may bring that back."""
        own = _key(choice, part)
        with self._shelf:
            others = list(self._kept.items())
        for key, opened in others:
            if key != own and _place(key) == _place(own) and opened.search is not None:
                cast("GuideSession", opened.session).forget()


def _guide_file(choice: Choice) -> FileReference | None:
    """Refer to the file of the text guide, which lies beside its network."""
    from napari_guideme.language.text_guide import find

    path = find(choice.network.source)
    return FileReference.of(path, is_found=True) if path else None


def _stack_of(choice: Choice, part: Slice) -> Stack | None:
    """Return the stack whose session a slice belongs to; others are worked on one by one."""
    return Stack.of(part) if choice.network.carries else None


def _stack_key(choice: Choice, stack: Stack) -> Any:
    return choice, id(stack.layer.data), stack.key


def _key(choice: Choice, part: Slice) -> Any:
    return choice, id(part.layer.data), part.key, proportions(part.spacing)


def _place(key: Any) -> Any:
    """Return what a key has in common with those of other ways to look for the same."""
    choice, *where = key
    return choice.network.label, choice.device, choice.guide_point, choice.telling, *where
