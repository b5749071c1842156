"""What a claim and its completion cost, by the engine's own functions, without a provider: `python -m
benchmarks.engine_cost SENDER BATCHES` with the product's environment. Prints milliseconds a message for each batch.
"""

from __future__ import annotations

import json
import sys
import time

from backend.app import create_app
from backend.channels.base import Receipt
from backend.core import clock
from backend.core.database import by_index, db
from backend.core.leases import LeaseKeeper
from backend.services.dispatch import claims as claiming
from backend.services.dispatch.claim_watermarks import ClaimWatermarks
from backend.services.dispatch.outcomes import Outcome, record

BATCH = 25


def main(sender_id: int, batches: int) -> None:
    """Claims and completes that many batches, with the floors that the dispatch loop keeps."""
    app = create_app()
    claims: list[float] = []
    completions: list[float] = []
    floors = ClaimWatermarks()
    with app.app_context():
        keeper = LeaseKeeper(db.engine)
        keeper.acquire([sender_id])
        claiming_engine = by_index(db.engine)
        renewed = time.monotonic()
        for _ in range(batches):
            if time.monotonic() - renewed > 1.5:
                keeper.renew()
                renewed = time.monotonic()
            begun, now = time.perf_counter(), clock.now()
            whole = floors.full_scan_due(begun)
            want = claiming.ClaimRequest(sender_id, keeper.held()[sender_id].epoch, BATCH, floors=floors.of(sender_id))
            with claiming_engine.begin() as connection:
                claimed = claiming.claim(connection, [want], [], now)
                if floors.to_note([sender_id], begun):
                    claimed_rows = claiming.oldest(connection, {sender_id: floors.of(sender_id)})
                    floors.note([sender_id], claimed_rows, now, begun)
                if whole:
                    floors.record_full_scan(begun, time.perf_counter())
            taken = time.perf_counter()
            if len(claimed) != BATCH:
                raise SystemExit(f"claimed {len(claimed)} instead of {BATCH}")
            record([Outcome(claim, receipt=Receipt((f"{claim.id}",))) for claim in claimed])
            db.session.remove()
            ended = time.perf_counter()
            claims.append((taken - begun) * 1000 / BATCH)
            completions.append((ended - taken) * 1000 / BATCH)
        keeper.release([sender_id])
    sys.stdout.write(json.dumps({"claim": claims, "complete": completions}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
