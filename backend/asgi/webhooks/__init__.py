"""Webhooks of providers: accepted without Flask, and stored in batches."""
