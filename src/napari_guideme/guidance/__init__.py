"""How a frozen network is moved: variables, energies, minimisers, methods, questions."""

#: Names of the methods and what they do; known without loading torch.
METHOD_NAMES = {
    "residual": "a field on the result, spread far from deep hints, little at outlines (fastest)",
    "f-brs": "scale and bias of one layer, squared error at the hints, L-BFGS",
    "guide-me": "scale, bias, rows and columns of one layer, cross-entropy, momentum descent",
    "none": "the network alone: hints count only for one that was trained to take them",
    "brs": "interaction maps, squared error at the hints, L-BFGS (most thorough, slowest)",
    "rgb-brs": "an offset of the image, as brs",
    "distmap-brs": "an offset of the distances behind the maps of a click network, as brs",
    "saliency-brs": "the maps that tell what to find, as brs; then what residual does",
    "f-brs-a": "scale and bias at the end of the encoder, as brs",
    "f-brs-b": "scale and bias where the network is guided, as brs",
    "f-brs-c": "scale and bias of the last layers, as brs (fastest of them)",
}

#: Methods for a network that labels an image without being asked.
GUIDE_METHODS = tuple(
    name for name in METHOD_NAMES if name not in ("none", "distmap-brs", "saliency-brs")
)

#: Methods for what was found by its name.
FOUND_METHODS = ("residual", "saliency-brs", "f-brs", "guide-me")

#: Methods for what a sentence refers to, the default first.
FOLLOWED_METHODS = ("residual", "f-brs", "f-brs-b", "f-brs-a", "f-brs-c", "guide-me")

DEFAULT_FOLLOWED_METHOD = FOLLOWED_METHODS[0]

#: Methods for a network that was trained to take clicks.
CLICK_METHODS = (
    "none",
    *(n for n in METHOD_NAMES if "brs" in n and n not in ("f-brs", "saliency-brs")),
)

DEFAULT_METHOD = "residual"

#: For networks that were trained to take clicks.
DEFAULT_OBJECT_METHOD = "f-brs-b"

#: Names of the rules that choose the pixel to ask for; known without loading torch.
QUESTION_NAMES = {
    "settle": "the pixel whose answer would settle the most doubt in the whole image",
    "margin": "the pixel where the two likeliest classes are closest (Guide Me)",
}

DEFAULT_QUESTION = "settle"
