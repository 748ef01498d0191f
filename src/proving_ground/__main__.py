"""`python -m proving_ground` is `proving-ground`."""

from __future__ import annotations

import sys

from proving_ground.cli import main

if __name__ == "__main__":
    sys.exit(main())
