"""The ASGI front: live events and webhooks natively, everything else to Flask through a bridge of its own."""
