"""What Messenger and Instagram share: the items of their bodies, what these say, how texts and files are sent."""
