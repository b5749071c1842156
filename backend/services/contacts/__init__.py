"""Contacts: people with what identifies them, custom fields, tags, consents and suppressions; files of them come in
through `imports`.

A contact's points are unique in the workspace by keyed hash. Suppressions are stored under the same hashes and know
nothing of contacts, so that they outlive them.
"""
