"""One sentence picks one thing among many: expressions, and See-through-Text that follows them."""

from napari_guideme.errors import InputError

#: The network that follows sentences where none is chosen; known without loading torch.
REFERRING = "see-through-text"

ABOUT = "Which one of several things a sentence is about: the larger nucleus at the bottom."
LICENCE = "BSD-3-Clause"

#: How the one thing is outlined, see :data:`napari_guideme.localize.OUTLINE_NAMES`.
OUTLINES = ("clicks", "threshold")

#: Who answers where only a class is named.
PROXIES = "proxies"

ANSWERING = (REFERRING, PROXIES)


def follows_image(outline: str) -> bool:
    """Tell whether an outline follows the image.

    Raises
    ------
    InputError
        If what a sentence is about is not outlined in such a way.
    """
    if outline not in OUTLINES:
        raise InputError(
            f"what a sentence is about is not outlined by {outline!r}; choose {', '.join(OUTLINES)}"
        )
    return outline == "clicks"
