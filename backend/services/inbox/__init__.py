"""The inbox: what people of a workspace do with the conversations of all channels."""
