"""Where is the thing I name? From an image classifier alone."""

#: How a classifier is asked where it sees a label; known without loading torch.
SALIENCY_NAMES = {
    "gradient": "the derivative of the score in the image",
    "guided": "guided back-propagation: only what speaks for the label comes back",
    "grad-cam": "the last activations, weighted by what they mean for the label (coarse)",
    "feedback-hard": "what the gates bring that a sweep of hard feedback opens",
    "feedback-soft": "what comes through the gates after a step of soft feedback",
}

#: How a named thing is found.
FINDING_NAMES = {
    "proxies": "the class-agnostic network, told by maps of what stands in and what distracts",
    **SALIENCY_NAMES,
}

DEFAULT_FINDING = "proxies"

#: Views of an image that maps are made of, see :data:`~napari_guideme.localize.saliency.VIEWS`.
MOST_VIEWS = 11


#: How a mask is drawn from what was found.
OUTLINE_NAMES = {
    "clicks": "what the bundled network click outlines where the map is highest: one thing",
    "grabcut": "GrabCut, by the colours of what the map is high on",
    "threshold": "where the map is above half of its range",
}


def usual_outline(method: str) -> str:
    """How a mask is drawn: of a likelihood by its colours, of a map that is only a hint by a click.

    A likelihood is of all things of a name, a map of saliency often of a part of one of them.
    """
    return "grabcut" if method == "proxies" else "clicks"


def usual_views(method: str) -> int:
    """How many views a method needs: all, but one where a network learned from such maps."""
    return 1 if method == "proxies" else MOST_VIEWS
