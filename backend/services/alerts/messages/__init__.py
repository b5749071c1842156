"""What an alert says, where, and what follows when it cannot be said."""
