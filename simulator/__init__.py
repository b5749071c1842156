"""Telegram in a box: the Bot API over HTTP with simulated people, for developing and testing bots offline."""
