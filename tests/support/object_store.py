"""An S3-compatible server in a thread of the test's process, with one bucket."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import botocore.session  # type: ignore[import-untyped]
from moto.server import ThreadedMotoServer

from backend.core.storage import Storage, from_url

BUCKET = "switchboard-test"
KEY = "EXAMPLE-access-key"
SECRET = "EXAMPLE/secret+key"


class ObjectStore:
    """The server, and a client of its own that looks at what is there."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        session = botocore.session.get_session()
        session.set_credentials(KEY, SECRET)
        self.client: Any = session.create_client("s3", region_name="us-east-1", endpoint_url=self.url)
        self.client.create_bucket(Bucket=BUCKET)
        self.storage: Storage = from_url(self.media_url("files/of-switchboard"))

    def media_url(self, prefix: str = "", bucket: str = BUCKET) -> str:
        """What names a storage in this server for `MEDIA_URL`."""
        return f"s3://{KEY}:{quote(SECRET, safe='')}@{bucket}/{prefix}?endpoint={self.url}"

    def names(self) -> list[str]:
        """The objects, and the uploads that were begun and neither completed nor aborted."""
        uploads = self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
        objects = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", ())
        return [one["Key"] for one in (*objects, *uploads)]

    def empty(self) -> None:
        """Deletes every object."""
        for name in self.names():
            self.client.delete_object(Bucket=BUCKET, Key=name)

    def stop(self) -> None:
        """Ends the server."""
        self._server.stop()
