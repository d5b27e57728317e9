"""``python -m export run|info|verify model.art``."""

import sys

from export.runner.command import main

if __name__ == "__main__":
    sys.exit(main())
