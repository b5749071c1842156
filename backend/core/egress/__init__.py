"""The guarded HTTP client: every request to an address that a user can influence goes through here.

Only public addresses are reached. All addresses of a name are judged before a connection is made, the connection
goes to exactly the address that was judged (a name that changes its mind meanwhile gains nothing), and every
redirect starts over. Sizes and the whole duration are bounded. Proxies, `.netrc` and cookies do not exist here.
"""

from backend.core.egress import answers
from backend.core.egress.client import DEFAULT_MAX_BYTES, Egress, Response
from backend.core.egress.errors import EgressFailed, EgressRefused

__all__ = ["DEFAULT_MAX_BYTES", "Egress", "EgressFailed", "EgressRefused", "Response", "answers"]
