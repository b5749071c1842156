"""`python bin dev …` runs launcher/dev.py, with this folder and the project's on its path only."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
    runpy.run_module(f"launcher.{sys.argv.pop(1)}", run_name="__main__", alter_sys=True)
