"""A parser that says what is wrong in one line."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and shows an example that can be copied as it is."""

    def __init__(self, **told: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **told)
        # Numbers may follow, as in -600,1500; argparse alone takes such a value for an option.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def error(self, message: str) -> NoReturn:
        """Say it, and leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")
