"""Values that a schema of the document allows, drawn with hypothesis: the part of JSON Schema that Pydantic writes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The schema a reference points to, or the schema itself."""
    while "$ref" in schema:
        place: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            place = place[part]
        schema = place
    return schema


def like(schema: dict[str, Any], document: dict[str, Any]) -> st.SearchStrategy[Any]:
    """A strategy of values the schema allows; bounds that JSON Schema cannot state are not known here."""
    schema = resolved(schema, document)
    given = [value for value in schema.get("examples", []) if value is not None]
    drawn = _by_form(schema, document)
    return st.sampled_from(given) | drawn if given else drawn


def _by_form(schema: dict[str, Any], document: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([like(option, document) for option in schema[several]])
    kind = schema.get("type")
    if kind == "string":
        return _text(schema)
    if kind == "integer":
        low, high = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
        return st.integers(low, high) | st.sampled_from([low, high])
    if kind == "number":
        return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
    if kind == "boolean":
        return st.booleans()
    if kind == "null":
        return st.none()
    if kind == "array":
        most = min(schema.get("maxItems", 4), 4)
        return st.lists(like(schema.get("items", {}), document), min_size=schema.get("minItems", 0), max_size=most)
    if kind == "object":
        return _record(schema, document)
    return _ANYTHING


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).map(lambda text: text[: schema.get("maxLength", 1000)])
    low = schema.get("minLength", 0)
    usable = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    return st.text(usable, min_size=low, max_size=min(schema.get("maxLength", 40), low + 40))


def _record(schema: dict[str, Any], document: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = schema.get("properties")
    if fields is None:
        inner = schema.get("additionalProperties")
        values = like(inner, document) if isinstance(inner, dict) else _ANYTHING
        return st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=10), values, max_size=4)
    required = set(schema.get("required", []))
    drawn = {name: like(inner, document) for name, inner in fields.items()}
    return st.fixed_dictionaries(
        {name: value for name, value in drawn.items() if name in required},
        optional={name: value for name, value in drawn.items() if name not in required},
    )
