"""The inbox: what people of a workspace do with the conversations of all channels.

Nothing here talks to a network. What is said goes through the outbox, what is shown comes by a constant number of
statements, and whoever may not see a conversation is told that there is none.
"""
