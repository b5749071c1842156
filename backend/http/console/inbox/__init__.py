"""The inbox: conversations of all channels, what is said in them, and who answers."""
