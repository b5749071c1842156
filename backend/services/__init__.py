"""The use cases, one module or package per feature."""
