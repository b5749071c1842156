"""The two ways in which a guarded request ends without an answer.

Messages name the scheme, host and port of the address at most: paths and queries hold other people's secrets.
"""

from __future__ import annotations

from backend.core.errors import Invalid


class EgressRefused(Invalid):
    """422: the address may not be asked. Nothing was sent there, and trying again changes nothing.

    Codes: invalid_url, invalid_header, forbidden_port, private_address, insecure_redirect.
    """

    code = "address_refused"
    message = "This address cannot be used."


class EgressFailed(Invalid):
    """422: the address was asked, or could not be, and there is no usable answer; a later try may fare better.

    `sent` is False where the request certainly never reached the other side. Codes: dns_failed, connect_failed,
    tls_failed, timeout, connection_lost, bad_response, response_too_large, unsupported_encoding,
    too_many_redirects.
    """

    code = "request_failed"
    message = "The address did not answer."

    def __init__(self, code: str | None = None, message: str | None = None, *, sent: bool = True) -> None:
        super().__init__(code, message)
        self.sent = sent

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.code, self.message, self.sent))


def _rebuild(code: str, message: str, sent: bool) -> EgressFailed:
    return EgressFailed(code, message, sent=sent)
