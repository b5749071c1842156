"""A language model that answers by script, behind an OpenAI-compatible API."""
