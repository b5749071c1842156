"""What Switchboard says to a provider and hears from it: one folder per provider, plain values in and out.

A channel knows neither the database nor the other channels; `base` holds the values they share, `errors` the
five ways in which sending can fail, `registry` the names.
"""
