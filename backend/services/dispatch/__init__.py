"""The engine: takes what is due from the outbox, sends it at its pace, and records the outcome."""
