"""Sentences: understanding what they say about classes and places, and acting on it."""
