"""The engine: takes what is due from the outbox, sends it at its pace, and records what came of it."""
