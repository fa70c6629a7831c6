"""One sentence picks one thing among many: expressions, and See-through-Text that follows them."""
