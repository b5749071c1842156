"""Contacts in the console: people, segments, tags, suppressions, imports, and the settings of all of them."""
