"""Where is the thing I name? From an image classifier alone."""

#: How a classifier is asked where it sees a label; known without loading torch.
METHOD_NAMES = {
    "gradient": "the derivative of the score in the image",
    "guided": "guided back-propagation: only what speaks for the label comes back",
    "grad-cam": "the last activations, weighted by what they mean for the label (coarse)",
    "feedback-hard": "gates behind all rectifiers, open or closed, then the derivative",
    "feedback-soft": "gates behind all rectifiers, from 0 to 1, then the derivative",
}
