"""The private names that stand in `backend/compat` are those of the pinned libraries, and nobody else uses them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rq import SimpleWorker
from sqlalchemy import Select
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import backend
from backend.asgi import protocol
from backend.compat import probes, rq, sqlalchemy, uvicorn

FOLDER = Path(backend.__file__).parent
PRIVATE = {
    "sqlalchemy": r"\._(annotations|raw_columns|from_obj|setup_joins|memoized_select_entities|correlate\w*"
    r"|auto_correlate|propagate_attrs|multi_values|post_values_clause|independent_ctes|returning|generate_cache_key|statement_hints)\b",
    "rq": r"\._ordered_queues\b|def _install_signal_handlers",
    "apiflask": r"\._get_spec\b|\"_spec\"",
    "uvicorn": r"from uvicorn|import uvicorn",
}


@pytest.mark.parametrize("library", probes.PROBES)
def test_every_name_is_there(library: str) -> None:
    assert probes.PROBES[library]() == []


def test_every_library_of_the_folder_is_asked() -> None:
    files = {path.stem for path in (FOLDER / "compat").glob("*.py")} - {"__init__", "probes"}
    assert set(probes.PROBES) == files == set(PRIVATE)


@pytest.mark.parametrize("library", PRIVATE)
def test_the_private_names_stand_in_one_file(library: str) -> None:
    users = {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*.py")
        if re.search(PRIVATE[library], path.read_text(encoding="utf-8"))
    }
    assert users <= {f"compat/{library}.py", "asgi/protocol.py"}


def test_a_name_that_is_gone_keeps_the_application_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    probes._missing.cache_clear()
    monkeypatch.delattr(Select, "_auto_correlate")
    try:
        with pytest.raises(probes.IncompatibleLibrary, match=r"sqlalchemy has no .*_auto_correlate"):
            probes.require("rq", "sqlalchemy")
    finally:
        probes._missing.cache_clear()


def test_a_name_that_holds_something_else_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlalchemy, "is_orm", lambda statement: True)
    assert sqlalchemy.missing() == ["_propagate_attrs"]


def test_a_worker_without_its_names_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    for base in SimpleWorker.__mro__:
        if "_install_signal_handlers" in base.__dict__:
            monkeypatch.delattr(base, "_install_signal_handlers")
    assert rq.missing() == ["Worker._install_signal_handlers"]


def test_the_web_process_reads_http_with_its_own_protocol() -> None:
    assert protocol.choose() is protocol.FastProtocol


def test_it_takes_uvicorns_own_where_the_setting_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PROTOCOL", "uvicorn")
    assert protocol.choose() is AutoHTTPProtocol


def test_it_takes_uvicorns_own_where_a_name_is_missing_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(HttpToolsProtocol, "on_response_complete")
    assert uvicorn.missing() == ["on_response_complete"]
    assert protocol.choose() is AutoHTTPProtocol
    assert "on_response_complete" in caplog.text
