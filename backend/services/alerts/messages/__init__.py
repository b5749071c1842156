"""The messages of an alert: texts, destinations, sending, and what follows when it fails."""
