"""`python -m runner.demo FILE`."""

import sys
from pathlib import Path

from runner.demo.shop import build

if len(sys.argv) != 2:  # noqa: PLR2004  the program and one file
    sys.exit("usage: python -m runner.demo FILE")
count = build(Path(sys.argv[1]))
sys.stdout.write(f"made a shop with {count} due actions in {sys.argv[1]}\n")
