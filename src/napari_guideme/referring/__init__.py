"""One sentence picks one thing among many: expressions, and See-through-Text that follows them."""

from typing import Final

#: The network that follows sentences where none is chosen; known without loading torch.
REFERRING: Final = "see-through-text"
