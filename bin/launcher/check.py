"""`bin/check`: format, lint, import layers and types of the whole tree, in seconds; no tests."""

from __future__ import annotations

import sys
import time

from . import checks


def main() -> int:
    """The command. Every check runs; the exit code is 1 when one of them failed."""
    if sys.argv[1:]:
        print(__doc__)
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    started_at = time.monotonic()
    failed = checks.failed_checks()
    verdict = f"failed: {', '.join(failed)} (bin/fix mends format and much of lint)" if failed else "passed"
    print(f"bin/check: {verdict} in {time.monotonic() - started_at:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
