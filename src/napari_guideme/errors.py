"""What can be wrong, or odd, with what a user gives us."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what is allowed.

    The widget shows it as a notification, the shell as one line and exit code 2.
    """


class ImageWarning(UserWarning):
    """Something about an image that was read is not what one might expect.

    The shell shows it as one line.
    """
