"""People, how they get in, what they may do, and the record of what they did."""
