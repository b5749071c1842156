"""An alert as it is: its rows under their lock, what they mean, and what follows from them."""
