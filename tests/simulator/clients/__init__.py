"""Bots and readers on the three client libraries, each a program for a process of its own (`clients.run`)."""
