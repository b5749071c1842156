"""What the process `sessions` does: it holds the connections of accounts under their leases, fetches what happens to
them, carries out what is to be sent, looked up and logged in.

`hub` is the process's event loop with its connections, `served_account` one of them, `storing` what is written.
"""
