"""The console's shell: who gets in, what a write has to prove, what every page carries, and its errors."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from backend.core import clock
from backend.core.database import db, system_scope
from backend.http.console.kit import assets, navigation, pages, sessions
from backend.models import AuditEntry, SignIn, User
from tests.http import callers, routes
from tests.http.console.conftest import OWN, Browser
from tests.support import factories

OPEN = {
    "console_channels.deletion_status",
    "console_assets.asset",
    "console_sign_in.root",
    "console_sign_in.sign_in_form",
    "console_sign_in.sign_in_now",
    "console_sign_in.reset_form",
    "console_sign_in.reset_now",
    "console_person_pages.opt_in_now",
    "console_person_pages.show_opt_in",
    "console_person_pages.show_unsubscribe",
    "console_person_pages.unsubscribe_now",
}


def path_of(route):
    rule = route.rule
    while "<" in rule:
        before, _, rest = rule.partition("<")
        name, _, after = rest.partition(">")
        rule = before + ("1" if name.startswith("int:") else "x") + after
    return rule


def closed(app):
    return [route for route in routes.walk(app, console=True) if not route.guard.is_public]


def test_only_these_pages_are_open(app):
    assert {route.endpoint for route in routes.walk(app, console=True) if route.guard.is_public} == OPEN


def test_every_other_page_is_guarded_as_a_page(app):
    assert closed(app)
    assert all(route.guard.console for route in closed(app))
    assert not any(route.guard.console for route in routes.walk(app))


@pytest.mark.parametrize("credentials", ["nothing", "a bearer token", "a forged cookie"])
def test_who_is_not_signed_in_is_led_to_the_sign_in(app, person, credentials):
    headers = callers.signed_in(person) if credentials == "a bearer token" else {}
    before = routes.fingerprint()
    for route in closed(app):
        browser = Browser(app, None)
        if credentials == "a forged cookie":
            browser.client.set_cookie(sessions.cookie_name(), f"{person.id}.1.AAAA")
        response = browser.client.open(path_of(route), method=route.method, headers={**OWN, **headers})
        assert response.status_code == 303, str(route)
        assert response.headers["Location"].startswith("/console/sign-in?next=/console/"), str(route)
        by_script = browser.client.open(path_of(route), method=route.method, headers={**OWN, "HX-Request": "true"})
        assert by_script.status_code == 401
        assert "/console/sign-in" in by_script.headers["HX-Redirect"]
    assert routes.fingerprint() == before


def test_a_write_without_the_forms_token_or_from_elsewhere_changes_nothing(app, person, browser):
    before = routes.fingerprint()
    for route in closed(app):
        if route.method == "GET":
            continue
        for what, data, headers in (
            ("no token", {}, OWN),
            ("another's token", {"csrf_token": "x"}, OWN),
            ("another site", {"csrf_token": browser.csrf}, {"Sec-Fetch-Site": "cross-site"}),
            ("another origin", {"csrf_token": browser.csrf}, {"Origin": "https://evil.example"}),
            ("no word of where it was made", {"csrf_token": browser.csrf}, {}),
        ):
            response = browser.client.open(path_of(route), method=route.method, data=data, headers=headers)
            assert response.status_code == 403, f"{route} with {what}"
    assert routes.fingerprint() == before


def test_pages_ask_for_their_role(app):
    for route in closed(app):
        if route.guard.role in (None, "viewer") and not route.guard.owner:
            continue
        browser = Browser(app, callers.member(role="viewer"))
        call = browser.get if route.method == "GET" else browser.post
        assert call(path_of(route)).status_code == 403, str(route)


def test_the_console_cookie_opens_no_api(app, browser):
    assert browser.get("/api/auth/me").status_code == 401


def test_signing_in_and_out_and_what_is_left_of_it(app, person, stranger):
    form = {"email": person.email, "password": callers.PASSWORD, "next": "/console/?x=1"}
    assert stranger.post("/console/sign-in", {**form, "password": "wrong-password"}).status_code == 401
    response = stranger.post("/console/sign-in", form)
    assert response.status_code == 303
    assert response.headers["Location"] == "/console/?x=1"
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    page = stranger.get("/console/")
    assert page.status_code == 200
    stranger.csrf = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    stolen = stranger.client.get_cookie(sessions.cookie_name()).value
    assert stranger.post("/console/sign-out").status_code == 303
    again = Browser(app, None)
    again.client.set_cookie(sessions.cookie_name(), stolen)
    assert again.get("/console/").status_code == 303
    with system_scope("a test"):
        actions = {one.action for one in db.session.query(AuditEntry)}
    assert {"sign_in.started", "sign_in.ended"} <= actions


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/console/", "//evil.example/console/", "/api/auth/me", "/console/\\evil", "javascript:1"],
)
def test_after_the_sign_in_nobody_is_led_away(stranger, person, wanted):
    form = {"email": person.email, "password": callers.PASSWORD, "next": wanted}
    assert stranger.post("/console/sign-in", form).headers["Location"] == "/console/"


def test_a_sign_in_from_another_site_is_refused(app, person):
    form = {"email": person.email, "password": callers.PASSWORD}
    response = app.test_client().post("/console/sign-in", data=form, headers={"Origin": "https://evil.example"})
    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers


def test_a_revoked_sign_in_and_a_disabled_person_are_out_with_the_next_request(app, person, browser):
    assert browser.get("/console/").status_code == 200
    with system_scope("a test"):
        db.session.execute(update(SignIn).values(revoked_at=clock.now()))
    callers.commit()
    assert browser.get("/console/").status_code == 303
    other = Browser(app, person)
    assert other.get("/console/").status_code == 200
    with system_scope("a test"):
        db.session.execute(update(User).where(User.id == person.id).values(disabled_at=clock.now()))
    callers.commit()
    assert other.get("/console/").status_code == 303


def test_a_sign_in_in_use_lives_on_and_one_that_is_not_ends(app, person, browser):
    for _ in range(3):
        clock.move(20 * 24 * 3600)
        assert browser.get("/console/").status_code == 200
    clock.move(31 * 24 * 3600)
    assert browser.get("/console/").status_code == 303


def test_every_page_carries_the_strict_policy_and_nothing_inline(app, browser):
    for entry in [one for _, entries in navigation.GROUPS for one in entries]:
        with app.test_request_context():
            address = app.url_for(entry.endpoint) if hasattr(app, "url_for") else "/console/"
        response = browser.get(address)
        assert response.status_code == 200, entry.key
        assert response.headers["Content-Security-Policy"] == pages.POLICY
        assert response.headers["Cache-Control"] == "no-store"
        for forbidden in ("<style", " style=", "<script>", " onclick=", "javascript:", "hx-on"):
            assert forbidden not in response.text, f"{entry.key}: {forbidden}"


def test_files_are_kept_for_ever_under_their_own_address(client):
    response = client.get(assets.address("css/base.css"))
    assert response.status_code == 200
    assert "immutable" in response.headers["Cache-Control"]
    assert client.get("/console/static/old/css/base.css").headers["Cache-Control"] == "no-cache"
    for wrong in ("nothing.css", "../pages.py", "%2e%2e/pages.py", "vendor"):
        assert client.get(f"/console/static/{assets.version()}/{wrong}").status_code == 404


def test_language_zone_and_theme_are_kept(app, person, browser):
    response = browser.post("/console/preferences", {"locale": "ko", "back": "/console/"})
    assert response.status_code == 303
    assert '<html lang="ko"' in browser.get("/console/").text
    assert "한눈에 보기" in browser.get("/console/").text
    browser.post("/console/preferences", {"theme": "dark"})
    assert 'data-theme="dark"' in browser.get("/console/").text
    browser.post("/console/preferences", {"timezone": "Asia/Seoul"})
    assert "Asia/Seoul" in browser.get("/console/").text
    assert browser.post("/console/preferences", {"timezone": "Mars/Phobos"}).status_code == 422
    assert browser.post("/console/preferences", {"back": "https://evil.example"}).headers["Location"] == "/console/"


def test_before_the_sign_in_the_browser_chooses_the_language(stranger):
    page = stranger.get("/console/sign-in", headers={"Accept-Language": "ko-KR,ko;q=0.9"})
    assert '<html lang="ko"' in page.text


def test_an_unknown_page_and_a_defect_are_pages_with_a_number(app, browser, monkeypatch):
    missing = browser.get("/console/nowhere")
    assert missing.status_code == 404
    assert missing.headers["X-Request-ID"] in missing.text
    monkeypatch.setattr("backend.services.overview.figures", lambda: 1 / 0)
    broken = browser.get("/console/")
    assert broken.status_code == 500
    assert "ZeroDivisionError" not in broken.text
    assert broken.headers["X-Request-ID"] in broken.text


def test_the_palette_finds_people_of_this_workspace_only(app, person, browser):
    callers.member(person_workspace(person), name="Robin Example")
    callers.member(name="Robin Elsewhere")
    hits = browser.get("/console/palette?q=robin").text
    assert "Robin Example" in hits
    assert "Elsewhere" not in hits
    assert 'role="option"' not in browser.get("/console/palette?q=%25%25").text


def person_workspace(person):
    from backend.models import Workspace

    with system_scope("a test"):
        return db.session.get(Workspace, person.workspace_id)


def test_the_overview_names_a_bot_that_was_refused_with_the_reason(app, person, browser):
    of = person_workspace(person)
    factories.bot(of, name="harbour row", is_active=False, disabled_code="unauthorized")
    callers.commit()
    page = browser.get("/console/")
    assert page.status_code == 200
    assert "unauthorized" in page.text


def test_a_password_is_set_by_a_link(app, person, stranger):
    from backend.core.database import workspace_scope
    from backend.services.auth import credentials, password_resets

    begun = callers.begin(person)
    with workspace_scope(person.workspace_id):
        link = password_resets.issue(credentials.by_sign_in(person.id, begun.id), person.id)
    callers.commit()
    assert link.link is not None
    address = link.link.split("8000", 1)[1]
    assert stranger.get(address).status_code == 200
    assert stranger.post("/reset-password", {"token": link.token, "password": "short"}).status_code == 422
    assert stranger.post("/reset-password", {"token": link.token, "password": "a-new-password-1"}).status_code == 303
    assert stranger.post("/reset-password", {"token": link.token, "password": "a-new-password-2"}).status_code == 404
    form = {"email": person.email, "password": "a-new-password-1"}
    assert stranger.post("/console/sign-in", form).status_code == 303


def test_a_forms_token_is_never_twice_the_same_and_each_holds(browser):
    """A page is compressed: what repeats in it would shorten it, and tell what it is."""
    pages = [browser.client.get("/console/").text for _ in range(3)]
    tokens = [page.split('name="csrf_token" value="')[1].split('"')[0] for page in pages]
    assert len(set(tokens)) == 3
    for token in tokens:
        sent = browser.client.post("/console/preferences", data={"csrf_token": token, "theme": "dark"}, headers=OWN)
        assert sent.status_code in (204, 303)
    first, second = tokens[:2]
    for wrong in (first[:-4] + "AAAA", first[:40], first + "AAAA", "", "é", first[43:] + second[:43]):
        sent = browser.client.post("/console/preferences", data={"csrf_token": wrong, "theme": "dark"}, headers=OWN)
        assert sent.status_code == 403
