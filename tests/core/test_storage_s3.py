"""The S3 storage beyond the contract: addresses, credentials, servers that refuse, hang or are away."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from backend.core.errors import Unavailable
from backend.core.storage import S3Storage, Storage, from_url, s3
from backend.core.storage.s3 import Place, place_of
from tests.channels.scripted_server import ScriptedServer, answer, scripted_server
from tests.support.object_store import KEY, SECRET, ObjectStore

DENIED = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    made = ObjectStore()
    yield made
    made.stop()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as made:
        yield made


def storage_at(url: str) -> Storage:
    return from_url(f"s3://key:secret@bucket/media?endpoint={url}&region=eu-central-1")


def put(storage: Storage, data: bytes = b"words") -> str:
    return storage.put(io.BytesIO(data), max_bytes=1000, prefix="workspace-1/files").key


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("s3://bucket", Place("bucket")),
        ("s3://my.bucket/", Place("my.bucket")),
        ("s3://bucket/a/b%20c/", Place("bucket", "a/b c")),
        ("s3://bucket/a?region=eu-north-1", Place("bucket", "a", region="eu-north-1")),
        (
            "s3://k%2F1:s%3A%40%2B@bucket?endpoint=https://s3.example.org:9000&style=virtual",
            Place("bucket", "", "https://s3.example.org:9000", None, "virtual", "k/1", "s:@+"),
        ),
    ],
)
def test_an_address_names_bucket_prefix_and_server(setting: str, place: Place) -> None:
    assert place_of(setting) == place


def test_neither_key_nor_secret_is_shown() -> None:
    place = place_of("s3://AKIDEXAMPLE:hunter2@bucket/x")
    shown = repr(place) + repr(S3Storage(place))
    assert ("hunter2" in shown, "AKIDEXAMPLE" in shown) == (False, False)


def test_files_lie_under_the_prefix(store: ObjectStore) -> None:
    store.empty()
    key = put(from_url(store.media_url("of/this-instance")))
    assert store.names() == [f"of/this-instance/{key}"]
    store.empty()
    assert store.names() == []
    key = put(from_url(store.media_url()))
    assert store.names() == [key]


def test_two_processes_see_the_same_files(store: ObjectStore) -> None:
    writer, reader = from_url(store.media_url("shared")), from_url(store.media_url("shared"))
    key = put(writer)
    assert reader.open(key).read() == b"words"
    reader.delete(key)
    assert not writer.exists(key)


def test_credentials_come_from_the_environment_where_the_address_has_none(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    setting = f"s3://switchboard-test/from-environment?endpoint={store.url}"
    assert not from_url(setting).is_available(), "there are none"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert from_url(setting).is_available()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", store.url)
    assert from_url("s3://switchboard-test/from-environment").exists(put(from_url(setting))) is True


def test_a_bucket_that_does_not_exist_is_a_storage_that_is_away(store: ObjectStore) -> None:
    storage = from_url(store.media_url(bucket="no-such-bucket"))
    with pytest.raises(Unavailable) as caught:
        put(storage)
    assert (caught.value.code, storage.is_available()) == ("storage_unavailable", False)


def test_a_server_that_is_away_says_so_for_everything() -> None:
    storage = storage_at("http://127.0.0.1:9")
    key = f"workspace-1/files/aa/{'a' * 32}"
    for call in (lambda: put(storage), lambda: storage.open(key), lambda: storage.exists(key)):
        with pytest.raises(Unavailable):
            call()
    with pytest.raises(Unavailable):
        storage.delete(key)
    assert not storage.is_available()


def test_what_the_server_refuses_is_no_defect_of_the_file(server: ScriptedServer) -> None:
    server.script = [answer(403, DENIED, keep=False)]
    with pytest.raises(Unavailable):
        put(storage_at(server.url))


def test_a_server_in_trouble_is_asked_again_within_limits(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    server.script = [answer(503, SLOW_DOWN, keep=False), answer(200, b"", keep=False)]
    assert put(storage_at(server.url))
    server.script = [answer(503, SLOW_DOWN, keep=False)] * 10
    before = len(server.received)
    with pytest.raises(Unavailable):
        put(storage_at(server.url))
    # A connection that the server closes at once may fail before the server has read the request.
    assert 1 < len(server.received) - before <= s3.TRIES


def test_a_file_that_vanishes_while_it_is_read_is_an_error_of_reading(store: ObjectStore) -> None:
    storage = from_url(store.media_url("vanishing"))
    key = storage.put(io.BytesIO(b"x" * 3_000_000), max_bytes=3_000_000, prefix="a").key
    with storage.open(key) as file:
        assert len(file.read(1000)) == 1000
        storage.delete(key)
        file.seek(2_000_000)
        with pytest.raises(OSError, match="storage_unavailable") as caught:
            file.read(1000)
    assert caught.value.errno == errno.EIO


def test_a_folder_never_loads_the_library() -> None:
    code = (
        "import sys, io, tempfile; from backend.core import storage;"
        "storage.from_url('s3://bucket/x');"
        "storage.from_url(tempfile.mkdtemp()).put(io.BytesIO(b'x'), max_bytes=9, prefix='a');"
        "sys.exit('botocore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
