"""The HTTP edge: the only place that knows Flask's request and response."""

from backend.http import adapter

adapter.register()
