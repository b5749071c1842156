"""People's own accounts: phones, logins, private chats between people, and what goes wrong with them. The protocol
that carries them stands in `simulator.mtproto`; nothing here needs its libraries.
"""
