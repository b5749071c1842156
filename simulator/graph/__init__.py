"""Meta's Graph API in a box: applications, tokens, objects, and the signed webhooks that follow what happens to them.

`META_GRAPH_URL` points at `<simulator>/graph`; the switches are under `/control/graph/`.
"""
