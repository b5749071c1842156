"""Files: uploads, file_id, addresses, getFile and the download; what is too large or no picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from simulator.files import image_size
from tests.simulator.wire import exchange, png, refusal
from tests.support.telegram_box import DEMO_TOKEN, TelegramBox

JSON = dict[str, Any]
MEGABYTE = 1024 * 1024


def download(box: TelegramBox, file_id: str) -> bytes:
    path = box.call("getFile", file_id=file_id)["result"]["file_path"]
    answer = exchange(box, f"/file/bot{DEMO_TOKEN}/{path}", "GET")
    assert answer.status_code == 200
    return answer.content


def test_a_photo_has_a_thumbnail_and_the_whole(box: TelegramBox, mina: JSON) -> None:
    content = png(300, 200)
    sent = box.call("sendPhoto", files={"photo": ("a.png", content)}, chat_id=mina["id"], caption="Look")["result"]
    small, large = sent["photo"]
    assert (large["width"], large["height"], large["file_size"]) == (300, 200, len(content))
    assert (small["width"], small["height"]) == (90, 60)
    assert download(box, large["file_id"]) == content
    again = box.call("sendPhoto", chat_id=mina["id"], photo=large["file_id"])["result"]
    assert again["photo"][-1]["file_unique_id"] == large["file_unique_id"]


def test_a_document(box: TelegramBox, mina: JSON) -> None:
    sent = box.call("sendDocument", files={"document": ("a.txt", b"Hello")}, chat_id=mina["id"])["result"]["document"]
    assert (sent["file_name"], sent["mime_type"], sent["file_size"]) == ("a.txt", "text/plain", 5)
    assert download(box, sent["file_id"]) == b"Hello"
    attached = box.call("sendDocument", files={"it": b"Bye"}, chat_id=mina["id"], document="attach://it")["result"]
    assert download(box, attached["document"]["file_id"]) == b"Bye"


def test_what_a_person_sends_can_be_downloaded(box: TelegramBox, mina: JSON) -> None:
    photo = box.send_photo(mina, png(), caption="Look")
    assert box.updates()[-1]["message"] == photo
    assert download(box, photo["photo"][-1]["file_id"]) == png()
    document = box.send_document(mina, b"Hello", "a.txt")
    assert download(box, document["document"]["file_id"]) == b"Hello"


@pytest.mark.parametrize("name", ["a?b.c?d", "a.b/../c", "..", "noname", "a.%2e"])
def test_a_path_that_can_stand_in_an_address(box: TelegramBox, mina: JSON, name: str) -> None:
    sent = box.send_document(mina, b"Hello", name)
    assert download(box, sent["document"]["file_id"]) == b"Hello"


@pytest.mark.parametrize(
    ("field", "content", "words"),
    [
        ("photo", b"no picture", "IMAGE_PROCESS_FAILED"),
        ("photo", png(5001, 5000)[:60], "PHOTO_INVALID_DIMENSIONS"),
        ("photo", png(21, 1), "PHOTO_INVALID_DIMENSIONS"),
        ("photo", b"", "file must be non-empty"),
        ("document", b"", "file must be non-empty"),
    ],
)
def test_uploads_that_cannot_be(box: TelegramBox, mina: JSON, field: str, content: bytes, words: str) -> None:
    method = f"send{field.title()}"
    answer = box.call(method, files={field: ("a.png", content)}, chat_id=mina["id"])
    assert answer == refusal(400, f"Bad Request: {words}")


def test_files_that_are_too_large(box: TelegramBox, mina: JSON) -> None:
    size = 10 * MEGABYTE + 1
    photo = png() + b"\0" * (size - len(png()))
    answer = box.call("sendPhoto", files={"photo": photo}, chat_id=mina["id"])
    assert answer == refusal(400, f"Bad Request: file of size {size} bytes is too big for a photo")
    content = b"\0" * (20 * MEGABYTE + 1)
    sent = box.call("sendDocument", files={"document": content}, chat_id=mina["id"])["result"]
    answer = box.call("getFile", file_id=sent["document"]["file_id"])
    assert answer == refusal(400, "Bad Request: file is too big")


def test_files_that_are_not_there(box: TelegramBox, mina: JSON) -> None:
    assert box.call("getFile", file_id="x") == refusal(400, "Bad Request: invalid file_id")
    unknown = refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
    assert box.call("sendPhoto", chat_id=mina["id"], photo="x") == unknown
    missing = box.call("sendDocument", chat_id=mina["id"])
    assert missing == refusal(400, "Bad Request: there is no document in the request")
    document = box.send_document(mina, b"Hello")["document"]["file_id"]
    wrong = box.call("sendPhoto", chat_id=mina["id"], photo=document)
    assert wrong == refusal(400, "Bad Request: can't use file of type Document as Photo")
    assert exchange(box, f"/file/bot{DEMO_TOKEN}/documents/file_99.bin", "GET").status_code == 404


@contextmanager
def site(pages: dict[str, bytes]) -> Iterator[str]:
    """A small web site; what it does not have is 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = pages.get(self.path)
            self.send_response(404 if found is None else 200)
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing to be printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_files_by_address(box: TelegramBox, mina: JSON) -> None:
    with site({"/a.png": png(), "/b.txt": b"Hello"}) as address:
        sent = box.call("sendPhoto", chat_id=mina["id"], photo=f"{address}/a.png")["result"]
        assert download(box, sent["photo"][-1]["file_id"]) == png()
        sent = box.call("sendDocument", chat_id=mina["id"], document=f"{address}/b.txt")["result"]
        assert sent["document"]["file_name"] == "b.txt"
        wrong = box.call("sendPhoto", chat_id=mina["id"], photo=f"{address}/b.txt")
        assert wrong == refusal(400, "Bad Request: wrong type of the web page content")
        failed = refusal(400, "Bad Request: failed to get HTTP URL content")
        assert box.call("sendPhoto", chat_id=mina["id"], photo=f"{address}/c.png") == failed
    for broken in ("http://127.0.0.1:9/a.png", "http://[x/a.png", "http://a..test/a.png"):
        assert box.call("sendPhoto", chat_id=mina["id"], photo=broken) == failed, broken


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(3, 2), (3, 2)),
        (b"GIF89a\x03\x00\x02\x00", (3, 2)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x02\x00\x03\x03", (3, 2)),
        (b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x02\0\0\x01\0\0", (3, 2)),
        (b"\xff\xd8\xff", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"", None),
    ],
)
def test_the_size_of_a_picture(data: bytes, size: tuple[int, int] | None) -> None:
    assert image_size(data) == size
