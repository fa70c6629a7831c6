"""What can be wrong, or odd, with what a user gives us."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Sequence
from typing import Any


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what is allowed.

    The widget shows it as a notification, the shell as one line and exit code 2.
    """


class ImageWarning(UserWarning):
    """Something about an image that was read is not what one might expect.

    The shell shows it as one line.
    """


def check_kind(name: str, value: object, kinds: type | tuple[type, ...], wanted: str) -> None:
    """Raise `InputError` if an argument is of none of some kinds.

    Parameters
    ----------
    name, value
        Of the argument.
    kinds
        As `isinstance` takes them.
    wanted
        What it has to be, in words.
    """
    if not isinstance(value, kinds):
        raise InputError(f"{name} has to be {wanted}, not {reprlib.repr(value)}")


def whole_number(name: str, value: Any) -> int:
    """Return an argument that has to be a whole number, of Python, numpy or torch.

    Raises
    ------
    InputError
        If it is something else.
    """
    try:
        return operator.index(value)
    except TypeError:
        message = f"{name} has to be a whole number, not {reprlib.repr(value)}"
        raise InputError(message) from None


def whole_numbers(name: str, values: Any) -> list[int]:
    """Return an argument that has to be a list of whole numbers, which truth values are not.

    Raises
    ------
    InputError
        If it is something else, such as one number, or an iterator, which could be read once.
    """
    is_list = isinstance(values, Sequence) or hasattr(values, "tolist")
    plain = list(values) if is_list and not isinstance(values, str) else None
    if plain is None or any(isinstance(value, bool) for value in plain):
        message = f"{name} has to be a list of whole numbers, not {reprlib.repr(values)}"
        raise InputError(message)
    return [whole_number(f"each of {name}", value) for value in plain]
