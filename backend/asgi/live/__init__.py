"""Live events over server-sent events and WebSocket."""
