"""The workers: `python worker.py [dispatch intake …]`.

Without arguments a sensible set for one machine: the dispatch loop, and one RQ worker on all queues. With names, one
child process each: `dispatch`, or any of the RQ queues. The parent only watches: a child that dies is started again
within a second; children end within two seconds of their parent.
"""

from __future__ import annotations

import sys

from backend.workers.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
