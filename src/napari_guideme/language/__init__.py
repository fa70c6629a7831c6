"""Words: what a sentence asks for, and how a network follows it."""
