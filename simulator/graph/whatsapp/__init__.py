"""WhatsApp in the simulated Graph API: numbers, sends, files, templates, and what people do."""

from simulator.graph.whatsapp import media, numbers, sending, templates

__all__ = ["media", "numbers", "sending", "templates"]
