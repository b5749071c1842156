"""The pages about bots and channels."""
