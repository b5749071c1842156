"""The few places that stand on private names of a library, a file per library.

Each file has `missing()`: what of the library's names it needs and does not find. `probes` asks them all, at the start
of the processes and in the tests, so that a new version that changes one is found there and not in a message.
"""
