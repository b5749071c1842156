"""`python -m benchmarks [name …]`: runs the named measurements, or all, and prints one table."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import FrameType

from benchmarks.result import Options, Result, Scenario, machine, save, table

NAMES = (
    "pace",
    "ten_bots",
    "fanout",
    "webhook",
    "signed_webhook",
    "reads",
    "updates",
    "drain_kills",
    "kills",
    "live",
    "latency",
    "claim_cost",
    "scale",
    "floods",
    "idle",
    "schedules",
    "contacts",
    "inbox",
    "campaigns",
    "accounts",
    "endurance",
    "attacks",
    "soak",
)


def main() -> int:
    """The command. 1 when a target was missed or a run is void."""
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=" ".join(NAMES))
    parser.add_argument("--passes", type=int, default=3, help="how often each is repeated (3)")
    parser.add_argument(
        "--quick", action="store_true", help="small and short: tries the measurements, yields no figures"
    )
    parser.add_argument("--minutes", type=float, default=20.0, help="of the soak (20)")
    parser.add_argument("--rows", type=int, default=50_000_000, help="of history, for scale (50,000,000)")
    parser.add_argument("--profile", action="store_true", help="py-spy's stacks in var/bench; the figures do not count")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are: {' '.join(NAMES)}")
    folder = Path("var/bench").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    options = Options(given.passes, given.quick, given.minutes, given.profile, folder, given.rows)
    where = machine()
    results: list[Result] = []
    for name in given.names or NAMES:
        print(f"── {name}", file=sys.stderr, flush=True)
        scenario: Scenario = import_module(f"benchmarks.scenarios.{name}").run
        results.append(scenario(options))
        print(table(results[-1:]), flush=True)
        save(results[-1:], where | {"options": asdict(options)}, folder / name)
    print("\n" + table(results))
    print(f"\n{save(results, where | {'options': asdict(options)}, folder)}")
    sound = all(figure.met is not False for result in results for figure in result.figures)
    return 0 if sound and not any(result.void for result in results) else 1


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # whatever was started is ended on the way out
        signal.signal(stop, _interrupt)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bin"))  # the embedded servers
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
