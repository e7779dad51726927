"""``python -m firth`` is the command ``firth``."""

import sys

from firth.cli import main

if __name__ == "__main__":
    sys.exit(main())
