"""Files of a workspace: what people upload, and what is fetched for messages, alerts, posts and whoever else asks.

`request` has a file fetched in the background; its owner subscribes to `FileFetched` and `FileFetchFailed`. `download`
is for a caller that waits for the file itself.
"""

from backend.services.files.downloads import DownloadFailed, Source, download, name_of
from backend.services.files.events import FileFetched, FileFetchFailed
from backend.services.files.fetch_requests import MAX_TRIES, cancel, request, waiting_slots
from backend.services.files.fetch_work import WORK, fetch_due
from backend.services.files.stored_files import (
    MAX_DOCUMENT,
    MAX_PHOTO,
    PHOTO_TYPES,
    as_media,
    discard,
    get,
    keep,
    names_of,
    open_file,
    put,
    record,
    safe_name,
    storage_of_instance,
    upload,
)

__all__ = [
    "MAX_DOCUMENT",
    "MAX_PHOTO",
    "MAX_TRIES",
    "PHOTO_TYPES",
    "WORK",
    "DownloadFailed",
    "FileFetchFailed",
    "FileFetched",
    "Source",
    "as_media",
    "cancel",
    "discard",
    "download",
    "fetch_due",
    "get",
    "keep",
    "name_of",
    "names_of",
    "open_file",
    "put",
    "record",
    "request",
    "safe_name",
    "storage_of_instance",
    "upload",
    "waiting_slots",
]
