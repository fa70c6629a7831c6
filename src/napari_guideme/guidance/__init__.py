"""How a frozen network is moved: variables, energies, minimisers, methods, questions."""

#: Names of the methods and what they do; known without loading torch.
METHOD_NAMES = {
    "residual": "a field on the result, spread far from deep hints, little at outlines (fastest)",
    "f-brs": "scale and bias of one layer, squared error at the hints, L-BFGS",
    "guide-me": "scale, bias, rows and columns of one layer, cross-entropy, momentum descent",
}

DEFAULT_METHOD = "residual"

#: Names of the rules that choose the pixel to ask for; known without loading torch.
QUESTION_NAMES = {
    "settle": "the pixel whose answer would settle the most doubt in the whole image",
    "margin": "the pixel where the two likeliest classes are closest (Guide Me)",
}

DEFAULT_QUESTION = "settle"
