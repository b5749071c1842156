"""E-mail addresses: one spelling for one address."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from backend.core.errors import Invalid


def normalized(address: str, *, field: str = "email") -> str:
    """The address as it is stored and looked up: valid in form, lower case, composed Unicode. Raises Invalid.

    Whether mail arrives there is not asked: that would be a look-up on the network for every login.
    """
    try:
        # test_environment admits the reserved domain .test and nothing else.
        validated = validate_email(address.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise Invalid.of(field, "invalid_email", "This is not a valid e-mail address.") from None
    return validated.normalized.lower()
