"""The long-lived worker processes and the parent that watches them."""
