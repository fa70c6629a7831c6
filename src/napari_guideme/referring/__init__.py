"""One sentence picks one thing among many: See-through-Text."""
