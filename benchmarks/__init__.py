"""The measurements: how fast, how exact and how durable the engine is, beside the libraries people would use instead.

`python -m benchmarks` (through `bin/bench`). Nothing in the product imports this, and whatever judges imports nothing
of the product: `provider`, `policies`, `checker` and `load` know only the protocol and plain rows.
"""
