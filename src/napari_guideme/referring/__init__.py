"""One sentence picks one thing among many: expressions, and See-through-Text that follows them."""

#: The network that follows sentences where none is chosen; known without loading torch.
REFERRING = "see-through-text"

ABOUT = "Which one of several things a sentence is about: the larger nucleus at the bottom."
LICENCE = "BSD-3-Clause"

#: Who answers where only a class is named.
PROXIES = "proxies"

ANSWERING = (REFERRING, PROXIES)
