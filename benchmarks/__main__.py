"""Runs measurements by name, all of them without one: `nox -s benchmark -- engine stages`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("engine", "stages")


def main() -> int:
    """Run each in a process of its own; end with the first exit code that is not 0."""
    names = [name for name in sys.argv[1:] if not name.startswith("-")] or list(NAMES)
    options = [option for option in sys.argv[1:] if option.startswith("-")]
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"benchmarks: unknown measurement {unknown[0]!r}: expected {', '.join(NAMES)}", file=sys.stderr)
        return 3
    codes = []
    for name in names:
        print(f"== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, str(HERE / f"{name}.py"), *options], check=False).returncode)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
