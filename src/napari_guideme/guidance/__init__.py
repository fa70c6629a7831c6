"""How a frozen network is moved: variables, energies, minimisers and methods."""

#: Names of the methods and what they do; known without loading torch.
METHOD_NAMES = {
    "residual": "a field on the result, spread from the hints in closed form (fastest)",
    "f-brs": "scale and bias of one layer, squared error at the hints, L-BFGS",
    "guide-me": "scale, bias, rows and columns of one layer, cross-entropy, momentum descent",
}

DEFAULT_METHOD = "residual"
