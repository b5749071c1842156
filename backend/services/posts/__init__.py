"""Posts: what people publish on social platforms, from here or by a host application that is asked to.

Each try is begun at most once: a row is committed before the call that publishes, and where nobody knows what came of
it the post is `unknown` and a person is asked. `publish_due` is the job; what decides is pure (`decisions`, `states`).
"""

from backend.services.posts import retry_button as retry_button
from backend.services.posts.editing import Place, cancel, change, check_media, create, draft_of, schedule
from backend.services.posts.jobs import EXECUTE
from backend.services.posts.outcomes import notify, report_result, resolve, retry
from backend.services.posts.publishing import WORK, publish_due
from backend.services.posts.queries import get, get_with_attempts, listing, next_attempt_at

__all__ = [
    "EXECUTE",
    "WORK",
    "Place",
    "cancel",
    "change",
    "check_media",
    "create",
    "draft_of",
    "get",
    "get_with_attempts",
    "listing",
    "next_attempt_at",
    "notify",
    "publish_due",
    "report_result",
    "resolve",
    "retry",
    "schedule",
]
