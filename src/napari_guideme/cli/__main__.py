"""``python -m napari_guideme.cli``."""

import sys

from napari_guideme.cli import main

if __name__ == "__main__":
    sys.exit(main())
