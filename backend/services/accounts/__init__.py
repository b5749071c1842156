"""Persons' own accounts: connecting them, how the provider sees them, whom they can write to and how often.

`pace` says how many campaign messages an account may send now, `lookups` finds people by phone or user name, `peers`
remembers how an account addresses them, `health` keeps what the provider says of the account, `logins` connects one.
The process `sessions` carries out what has to be asked of the provider (`services.sessions`).
"""

from backend.services.accounts.access import of_sender, usable_for
from backend.services.accounts.channel_name import CHANNEL

__all__ = ["CHANNEL", "of_sender", "usable_for"]
