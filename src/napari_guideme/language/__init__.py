"""Sentences: understanding what they say about classes and places, and acting on it."""

#: How a network can be made to follow words; known without loading torch.
TELLING_NAMES = {
    "words": "evidence of the class inside the place, for any network, no training",
    "text-guide": "a guide that was trained for this network, in one pass",
    "both": "the trained guide, then the evidence",
}

DEFAULT_TELLING = "words"
