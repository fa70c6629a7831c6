"""Where is the thing I name? From an image classifier alone."""
