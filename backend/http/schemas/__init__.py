"""What clients send and get, as Pydantic models: one module per feature."""
