"""The page *Channels*: integrations with WhatsApp, Messenger and Instagram, their checks and templates."""
