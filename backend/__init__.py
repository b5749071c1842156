"""Switchboard: connects an application and its team with people on their messengers."""
