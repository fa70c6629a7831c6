"""Opening sessions as they were opened, so that what was done can be done again."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.session_file.contents import FileReference, Part, Setup

if TYPE_CHECKING:
    from napari_guideme.language.text_guide import TextGuide
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.object_session import ObjectSession
    from napari_guideme.session import GuideSession
    from napari_guideme.session_file.searches import Search
    from napari_guideme.volumes.inherited import Inherited

    AnySession = GuideSession | ObjectSession


def open_session(
    setup: Setup,
    network: FrozenNetwork,
    pixels: NDArray[Any],
    text_guide: TextGuide | None = None,
    method: str | None = None,
    inherited: Mapping[str, Any] | None = None,
) -> AnySession:
    """Open the kind of session that a network needs.

    Parameters
    ----------
    method
        Name of a method; by default the one for such networks.
    inherited
        See :class:`Part`.

    Raises
    ------
    InputError
        If `setup` tells what means nothing to the network, or does not fit the image.
    """
    seen: dict[str, Any] = {
        "channel_axis": setup.channel_axis,
        "channels": setup.channels,
        "spacing": setup.spacing,
    }
    told: dict[str, Any] = {} if method is None else {"method": method}
    if network.interaction is not None:
        from napari_guideme.object_session import ObjectSession

        if setup.zoom is not None:
            raise InputError(f"{network.name} zooms in by itself; leave --zoom out")
        return ObjectSession(pixels, network, locked=setup.locked, **seen, **told)
    from napari_guideme.language.places import View
    from napari_guideme.session import GuideSession

    point = setup.guide_point or setup.calibrated
    told |= {
        "telling": setup.telling,
        "text_guide": text_guide,
        "view": View.upright(network.preparation.ndim, setup.patient),
        "zoom": setup.zoom,
    }
    if inherited is None:
        return GuideSession(pixels, network, guide_point=point, **seen, **told)
    from napari_guideme.guidance.scene import Scene
    from napari_guideme.language.telling import following
    from napari_guideme.volumes.inherited import Inherited

    scene = Scene(network, pixels, point=point, **seen)
    tell = functools.partial(following, way=setup.telling, guide=text_guide)
    begun = Inherited.from_json(inherited, scene).shifted(scene, tell)
    return GuideSession.on(begun, point_is_chosen=bool(point), **told)


def saved_part(
    session: AnySession,
    setup: Setup,
    sha256: str,
    axes: tuple[int, ...] | None = None,
    index: tuple[int, ...] | None = None,
    inherited: Inherited | None = None,
    search: Search | None = None,
) -> Part:
    """Tell what was done in a session that was opened by :func:`open_session` or `Finding`.

    Parameters
    ----------
    sha256
        Of the pixels, see :func:`~napari_guideme.session_file.contents.digest`.
    axes, index, inherited, search
        See :class:`Part`.
    """
    from napari_guideme.object_session import ObjectSession

    if isinstance(session, ObjectSession):
        setup = replace(setup, locked=session.locked)
    else:
        calibrated = session.calibrated_point or setup.calibrated
        setup = replace(setup, calibrated=calibrated, patient=session.view.letters)
    told = None if inherited is None else inherited.to_json()
    return Part(axes, index, sha256, setup, session.history, told, search)


def reopened(
    part: Part, network: FrozenNetwork, image: Any, text_guide: TextGuide | None = None
) -> AnySession:
    """Open a session of a part, to be brought to where it was by ``replay(part.history)``.

    Parameters
    ----------
    image
        The whole image; of a lazy one only the part is read.

    Raises
    ------
    InputError
        If the pixels are others, or the network does not take them.
    """
    pixels = part.checked_pixels(image)
    return open_session(part.setup, network, pixels, text_guide, inherited=part.inherited)


def load_text_guide(
    reference: FileReference, source: str | Path, network: FrozenNetwork
) -> TextGuide:
    """Open the text guide that was used, and no other one.

    Raises
    ------
    InputError
        If it is not there, or is another one now.
    """
    from napari_guideme.language.text_guide import find, load

    path = reference.path or find(source)
    if path is None or not path.is_file():
        raise InputError(f"the text guide {path or ''} of the session is not there any more")
    if FileReference.of(path).sha256 != reference.sha256:
        raise InputError(f"{path.name} is not the text guide of the session, or was changed since")
    return load(path, network)
