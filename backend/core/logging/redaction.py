"""What may not stand in a log, taken out of everything that goes there.

Two rules. Values under revealing names (`token`, `password`, `text`) are replaced by what they were called
for: secrets by `***`, message bodies by their length. And every text, whatever its name, including exception
texts and other libraries' messages, is searched for what looks like a secret. The result is plain JSON
values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Final

MASK: Final = "***"
MAX_TEXT: Final = 16_000
"""Longer texts are cut: characters."""
_MARGIN: Final = 1000
_MAX_DEPTH: Final = 8
_MAX_ITEMS: Final = 200
_MIN_KNOWN_SECRET: Final = 8

_SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|api_?hash|api_?key|private_?key|encryption_?key|lookup_?key|session|authori[sz]ation"
    r"|cookie|credential|signature|verification_?code|phone_?code|(^|_)otp$|(^|_)dsn$",
    re.IGNORECASE,
)
# Counts and ids are named after what they count: `tokens=350` is no secret, and no token is a number.
_COUNTABLE_NAME = re.compile(r"token|session", re.IGNORECASE)
# A person's ids with a provider are encrypted where they are stored; a log must not undo that.
_PERSONAL_NAME = re.compile(r"^(phone|phone_number|email|e_mail|chat_id|wa_id|psid|telegram_user_id)$", re.IGNORECASE)
_BODY_NAME = re.compile(
    r"^(text|body|raw_body|content|caption|html|message_text|message_body|prompt|completion|answer|payload)$",
    re.IGNORECASE,
)

_NAMED_IN_TEXT = (
    r"[\w.-]{0,40}(?:token|secret|passw(?:or)?d|passphrase|api_?hash|api_?key|private_?key|session|cookie|credential"
    r"|signature|phone_code|password_hash)[\w.-]{0,40}"
)
_VALUE = r"""(?:b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*'|[^\s,;&)}\]<>"']+)"""
_QUOTED = r"""(?:b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*'|[^\n]+)"""
# PostgreSQL does not escape what it repeats: a value may hold brackets, quotes and lines. It ends where the
# message goes on with something known, else with the text. The lines may be those of a repr.
_MESSAGE_ENDS = (
    r"(?=(?:[\s|]|\\n){0,40}(?:LINE \d|DETAIL: |HINT: |CONTEXT: |\[SQL: |The above exception|During handling"
    r"|['\")]{0,4}\s{0,4}\Z))"
)


def _named(match: re.Match[str]) -> str:
    name, value = match[1], match[2]
    if value.isdigit() and _COUNTABLE_NAME.search(name):
        return match[0]
    quote = value[-1] if value[-1] in "\"'" else ""
    return f"{name}{quote}{MASK}{quote}"


_Replacement = str | Callable[[re.Match[str]], str]
_RULES: Final[tuple[tuple[re.Pattern[str], _Replacement], ...]] = (
    # What databases and validators repeat of the values they were given.
    # What has no end is hidden whole: it may have been cut, and is not to be searched for again from each beginning.
    (re.compile(r"\[parameters: (?:.*?\](?=\n|$)|.*)", re.DOTALL), "[parameters: ***]"),
    (re.compile(rf"(Failing row contains \().*?(?:\)\.?{_MESSAGE_ENDS}|\Z)", re.DOTALL), rf"\1{MASK})."),
    (
        re.compile(
            r"(invalid input (?:syntax|value) for [^:\n]{1,80}: |date/time field value out of range: )"
            rf"\".*?(?:\"{_MESSAGE_ENDS}|\Z)",
            re.DOTALL,
        ),
        rf'\1"{MASK}"',
    ),
    (re.compile(r"(\bvalue \")[^\"]*(\" is out of range for type )"), rf"\1{MASK}\2"),
    (
        re.compile(
            # Bounded on both sides: an index holds no key of more than 2,700 bytes.
            r"(Key \((?:[^\n()]|\([^\n()]{0,100}\)){0,200}\)=\().{0,3000}?"
            r"(\) (?:already exists|is not present|is still|conflicts))",
            re.DOTALL,
        ),
        rf"\1{MASK}\2",
    ),
    (re.compile(r"(unnamed portal parameter \$\d+ = )(?:'(?:[^']|'')*(?:'|\Z)[^\n]*|[^\n]*)"), rf"\1{MASK}"),
    # What Python repeats of a text that is no number and no time.
    (
        re.compile(
            r"(invalid literal for int\(\) with base \d+: |could not convert string to float: "
            rf"|Invalid isoformat string: |time data ){_QUOTED}"
        ),
        rf"\1'{MASK}'",
    ),
    (re.compile(r"(input_value=)(?:[^\n]*?(, input_type=)|[^\n]*)"), rf"\1{MASK}\2"),
    # user:password@ in an address, and a lone key before the @.
    (
        re.compile(r"\b([a-z][a-z0-9+.-]{0,30}://)[^\s/@'\"?#]{0,256}(?::[^\s@'\"]{0,256})?@", re.IGNORECASE),
        rf"\1{MASK}@",
    ),
    # Telegram bot tokens, also percent-encoded, of any length where a path shows what they are.
    (re.compile(r"(/(?:file/)?bot\d+(?::|%3A))[^/\s'\"?]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(?<!\d)(\d{6,}(?::|%3A))[A-Za-z0-9_-]{30,}", re.IGNORECASE), rf"\1{MASK}"),
    # Our own: link tokens and personal access tokens.
    (re.compile(r"\b(sbp_)[A-Za-z0-9_-]{12,}"), rf"\1{MASK}"),
    (re.compile(r"(user_\d+_)[A-Za-z0-9_-]{12,}"), rf"\1{MASK}"),
    # Credentials in headers.
    (
        re.compile(
            r"(authorization['\"]?\s*[:=,]\s*(?:b?['\"])?)(?:(bearer|basic|digest|token)\s+)?[^\s'\",;)}\]]+",
            re.IGNORECASE,
        ),
        lambda match: f"{match[1]}{match[2] + ' ' if match[2] else ''}{MASK}",
    ),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}=*", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"((?:set-)?cookie['\"]?:\s*)[^\n'\"]+", re.IGNORECASE), rf"\1{MASK}"),
    # JSON web tokens, and the keys of Meta, OpenAI and Telethon by their shape.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"), MASK),
    (re.compile(r"\bEAA[A-Za-z0-9]{20,}"), MASK),
    (re.compile(r"\b(sk|pk)-[A-Za-z0-9_-]{16,}"), rf"\1-{MASK}"),
    (re.compile(r"\b1[A-Za-z0-9_-]{200,}={0,2}"), MASK),
    (
        re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,20}-----|$)", re.DOTALL),
        MASK,
    ),
    # name=value and "name": "value".
    (re.compile(rf"(\b{_NAMED_IN_TEXT}=)({_VALUE})", re.IGNORECASE), _named),
    (re.compile(rf"(['\"]{_NAMED_IN_TEXT}['\"]\s*:\s*)({_VALUE})", re.IGNORECASE), _named),
    (re.compile(rf"(\bpassw(?:or)?d\s*[:=]\s*)({_VALUE})", re.IGNORECASE), _named),
)


# Most values are words, numbers, times and paths, which no rule can match: this is what keeps logging cheap. A text of
# these characters is searched by the rules where it has the beginning of what one of them looks for.
_TOO_SHORT = re.compile(r"[\w .-]{0,11}")
_HARMLESS = re.compile(
    r"(?!.*(?:sbp_|user_\d|eaa|[sp]k-|eyj|bearer|basic|authori|cookie|passw|could not|invalid iso|time data|\d{6}:"
    r"|bot\d|://))[\w .:/<>-]{0,80}",
    re.IGNORECASE,
)


class Redactor:
    """Redacts values; `secrets` are exact texts (this installation's keys and passwords), masked anywhere."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= _MIN_KNOWN_SECRET}
        # The longest first: one may be the beginning of another.
        pattern = "|".join(re.escape(secret) for secret in sorted(known, key=len, reverse=True))
        self._known = re.compile(pattern) if known else None

    def text(self, text: str) -> str:
        """The text without what looks like a secret, cut to `MAX_TEXT`."""
        cut = len(text) > MAX_TEXT
        text = text[: MAX_TEXT + _MARGIN]
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if _TOO_SHORT.fullmatch(text) or _HARMLESS.fullmatch(text):
            return text
        for pattern, replacement in _RULES:
            text = pattern.sub(replacement, text)
        # A secret that the first cut left in two is recognised by nothing: the margin goes as well.
        return f"{text[: max(0, min(MAX_TEXT, len(text) - _MARGIN))]}… (cut)" if cut else text

    def fields(self, fields: Mapping[str, object]) -> dict[str, object]:
        """A log entry's fields, redacted by name and by content, as JSON values."""
        return {self.text(name): self._named(name, value, 0) for name, value in fields.items()}

    def value(self, value: object, depth: int = 0) -> object:
        """Any value as a redacted JSON value; what is not one becomes its redacted repr."""
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if value - value == 0 else str(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if isinstance(value, datetime | date):
            return value.isoformat()
        if depth >= _MAX_DEPTH:
            return "…"
        if isinstance(value, Mapping):
            items = list(value.items())[:_MAX_ITEMS]
            return {self.text(str(name)): self._named(str(name), item, depth + 1) for name, item in items}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item, depth + 1) for item in list(value)[:_MAX_ITEMS]]
        if isinstance(value, BaseException):
            return self.text(f"{type(value).__name__}: {_repr(value)}")
        return self.text(_repr(value))

    def _named(self, name: str, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool):
            return value
        if _BODY_NAME.search(name):
            return _length(value)
        if _PERSONAL_NAME.search(name):
            return MASK
        counted = isinstance(value, int | float) and _COUNTABLE_NAME.search(name)
        if _SECRET_NAME.search(name) and not counted:
            return MASK
        return self.value(value, depth)


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a broken repr costs its field, not the line
        return f"<{type(value).__name__}, its repr raised {type(error).__name__}>"


def _length(body: object) -> str:
    if isinstance(body, str):
        return f"<{len(body)} characters>"
    if isinstance(body, bytes | bytearray | memoryview):
        return f"<{len(body)} bytes>"
    if isinstance(body, Mapping | list | tuple):
        return f"<{len(body)} items>"
    return f"<{type(body).__name__}>"
