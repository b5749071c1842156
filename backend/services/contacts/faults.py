"""What can be wrong with a value of a contact, and the errors that a caller gets."""

from __future__ import annotations

from backend.core.errors import Conflict, Invalid


class ValueFault(ValueError):
    """A value that cannot be taken: `code`, and `hint`, which says to a person what to do."""

    def __init__(self, code: str, hint: str) -> None:
        super().__init__(code, hint)
        self.code = code
        self.hint = hint


def invalid(field: str, code: str, message: str) -> Invalid:
    """The 422 for one field."""
    return Invalid.of(field, code, message)


def contact_exists(contact_id: int, field: str) -> Conflict:
    """The 409 for an identifier that another contact has."""
    detail = {"contact_id": contact_id, "field": field}
    return Conflict("contact_exists", "Another contact has this already.", detail=detail)
