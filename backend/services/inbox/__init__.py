"""The inbox: the states of conversations, and what the people of a workspace do with them."""

from backend.services.inbox import inbound_state as inbound_state
from backend.services.inbox import media as media
from backend.services.inbox import state as state
from backend.services.inbox import subscribers as subscribers
from backend.services.inbox import timers as timers
