"""Which one of many is meant? Expressions that refer to one object of an image."""
