"""The inbox: the states of conversations, and what the people of a workspace do with those of all channels.

Nothing here talks to a network. What is said goes through the outbox, what is shown comes by a constant number of
statements, and whoever may not see a conversation is told that there is none.
"""

from backend.services.inbox import inbound_state as inbound_state
from backend.services.inbox import media as media
from backend.services.inbox import outgoing as outgoing
from backend.services.inbox import state as state
from backend.services.inbox import subscribers as subscribers
from backend.services.inbox import timers as timers
