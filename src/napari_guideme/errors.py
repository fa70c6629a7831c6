"""What can be wrong with what a user gives us."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what is allowed.

    The widget shows it as a notification, the shell as one line and exit code 2.
    """
