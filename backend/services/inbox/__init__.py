"""The inbox: the states of conversations, and what the people of a workspace do with them."""
