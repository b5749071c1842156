"""The page *Webhooks and keys*: endpoints with their deliveries, and one's own tokens."""
