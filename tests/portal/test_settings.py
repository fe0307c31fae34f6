"""Settings and profile: members, sets, keys, brand, ledger, preferences, language."""

import re

from django.conf import settings

from apps.portal import logos
from tests.portal.atelier import PASSWORD, Atelier, make_atelier

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000" "1f15c4890000000d49444154789c626001000000050001"
    "0d0a2db40000000049454e44ae426082"
)  # fmt: skip


def test_an_invitation_shows_its_link_once_and_leads_in(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    text = admin.post(
        "/settings/members/invite", {"email": "new@guest.test", "role": "member"}
    ).content.decode()
    link = re.search(r'id="invite-link" readonly value="([^"]+)"', text)[1]
    assert "Copy" in text and link not in admin.get("/settings/members").content.decode()
    path = "/" + link.split("/", 3)[3]
    guest = atelier.client(None)
    assert "Join Atelier" in guest.get(path).content.decode()
    form = {"name": "Gina Guest", "password": "a long enough phrase", "again": "a long enough phrase"}
    assert guest.post(path, form | {"again": "other"}).status_code == 400
    assert guest.post(path, form)["Location"] == "/"
    assert "Gina Guest" in guest.get("/profile").content.decode()
    assert atelier.client(None).get(path).status_code == 400


def test_members_may_look_and_only_managers_change(atelier: Atelier) -> None:
    sales = atelier.client("sales")
    assert "Invite somebody" not in sales.get("/settings/members").content.decode()
    assert sales.post("/settings/members/invite", {"email": "x@y.test"}).status_code == 403
    path = f"/settings/members/{atelier.ids['reader']}"
    assert sales.post(path, {"action": "suspend"}).status_code == 403
    assert sales.post(path, {"action": "sets", "sets": ["crm_manager"]}).status_code == 403
    assert sales.get("/settings/brand").status_code == 403
    assert sales.get("/settings/ledger").status_code == 403


def test_permission_sets_are_given_and_taken(atelier: Atelier) -> None:
    admin, path = atelier.client("admin"), f"/settings/members/{atelier.ids['nobody']}"
    assert admin.post(path, {"action": "sets", "sets": ["crm_reader"]}).status_code == 302
    assert atelier.client("nobody").get("/o/crm_lead").status_code == 200
    assert admin.post(path, {"action": "sets"}).status_code == 302
    assert atelier.client("nobody").get("/o/crm_lead").status_code == 403


def test_an_own_permission_set_is_made_changed_and_deleted(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    form = {"name": "watchers", "label": "Watchers", "object.crm_lead": ["allowRead", "viewAllRecords"]}
    assert admin.post("/settings/permissions/new", form)["Location"] == "/settings/permissions/watchers"
    text = admin.get("/settings/permissions").content.decode()
    assert "Watchers" in text and "See all" in text
    assert admin.post("/settings/permissions/watchers", form | {"label": "Watching"}).status_code == 302
    assert "Watching" in admin.get("/settings/permissions/watchers").content.decode()
    assert admin.post("/settings/permissions/watchers", {"action": "delete"}).status_code == 302
    assert admin.get("/settings/permissions/watchers").status_code == 404


def test_a_key_is_shown_once_and_revoked(atelier: Atelier) -> None:
    client = atelier.client("manager")
    text = client.post(
        "/settings/keys", {"name": "Bot key", "scopes": ["data:read"], "days": "30"}
    ).content.decode()
    key = re.search(r'id="new-key" readonly value="([^"]+)"', text)[1]
    again = client.get("/settings/keys").content.decode()
    assert key not in again and "Bot key" in again
    path = re.search(r'action="(/settings/keys/[^"]+/revoke)"', again)[1]
    assert atelier.client("sales").post(path).status_code == 404
    assert client.post(path).status_code == 302
    assert "Bot key" not in client.get("/settings/keys").content.decode()


def test_the_brand_is_changed_and_seen_on_the_sign_in_page(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(settings, "MEDIA_ROOT", tmp_path)
    branded = make_atelier("branded")
    admin = branded.client("admin")
    from django.core.files.uploadedfile import SimpleUploadedFile

    form = {
        "name": "Branded Ltd",
        "color": "#0f766e",
        "logo": SimpleUploadedFile("x.svg", b"<svg onload='x'/>"),
    }
    refused = admin.post("/settings/brand", form)
    assert refused.status_code == 400 and "PNG, JPEG or WebP" in refused.content.decode()
    assert admin.post("/settings/brand", form | {"logo": SimpleUploadedFile("x.png", PNG)}).status_code == 302
    assert "/brand/0f766e.css" in admin.get("/settings/brand").content.decode(), "seen at once"
    text = branded.client(None).get("/sign-in").content.decode()
    assert "Branded Ltd" in text and "/brand/0f766e.css" in text
    css = branded.client(None).get("/brand/0f766e.css")
    assert css["Content-Type"] == "text/css" and "immutable" in css["Cache-Control"]
    logo = re.search(r"/brand/logo/[0-9a-f]+\.png", text).group()
    answer = branded.client(None).get(logo)
    assert answer.content == PNG and answer["Content-Type"] == "image/png"
    assert next(iter(tmp_path.rglob("*.png"))).parts[-3] == str(branded.ref.id)
    assert branded.client(None).get("/brand/zzz.css").status_code == 404
    assert branded.client(None).get("/brand/logo/..%2F..%2Fsecret.png").status_code == 404


def test_a_logo_is_judged_by_its_bytes() -> None:
    assert logos.kind_of_image(PNG) == "png"
    assert logos.kind_of_image(b"\xff\xd8\xff\xe0") == "jpg"
    assert logos.kind_of_image(b"<svg xmlns='http://www.w3.org/2000/svg'/>") is None
    assert logos.kind_of_image(b"GIF89a") is None


def test_the_ledger_is_browsed_filtered_and_verified(atelier: Atelier) -> None:
    admin = atelier.client("admin")
    text = admin.get("/settings/ledger?action=member.*").content.decode()
    assert "member.created" in text or "member.joined" in text
    assert "crm_lead.created" not in re.sub(r"placeholder=.*?>", "", text)
    assert "The chain holds" in admin.post("/settings/ledger/verify").content.decode()


def test_profile_changes_name_language_zone_and_theme(atelier: Atelier) -> None:
    client = atelier.client("reader")
    form = {"name": "Rita Leser", "locale": "de", "time_zone": "Asia/Tokyo", "theme": "dark"}
    assert client.post("/profile", form).status_code == 302
    answer = client.get("/profile")
    text = answer.content.decode()
    assert 'lang="de"' in text and 'data-theme="dark"' in text and answer["Content-Language"] == "de"
    assert client.post("/profile", form | {"time_zone": "Mars/Olympus"}).status_code == 400
    client.post("/profile", {"name": "Rita Reader", "locale": "", "time_zone": "", "theme": "auto"})


def test_the_visitor_chooses_a_language(atelier: Atelier) -> None:
    client = atelier.client(None)
    assert 'lang="en"' in client.get("/sign-in").content.decode()
    assert (
        'lang="de"' in client.get("/sign-in", headers={"accept-language": "fr, de-AT;q=0.8"}).content.decode()
    )
    assert client.post("/language", {"language": "ar", "next": "/sign-in"})["Location"] == "/sign-in"
    text = client.get("/sign-in").content.decode()
    assert 'lang="ar"' in text and 'dir="rtl"' in text and "tabler.rtl.min.css" in text


def test_sessions_are_listed_and_ended(atelier: Atelier) -> None:
    one, two = (
        atelier.client("sales", fresh=True),
        atelier.client("sales", fresh=True, **{"user-agent": "Firefox/140 (Linux)"}),
    )
    atelier.cookies.pop("sales", None)
    text = one.get("/profile/sessions").content.decode()
    assert "Firefox · Linux" in text and "this one" in text
    assert one.post("/profile/sessions").status_code == 302
    assert two.get("/profile").status_code == 302
    assert one.get("/profile").status_code == 200


def test_the_password_changes_with_the_old_one_only(atelier: Atelier) -> None:
    client = atelier.client("nobody", fresh=True)
    atelier.cookies.pop("nobody", None)
    form = {"current": "wrong", "password": "another long phrase", "again": "another long phrase"}
    wrong = client.post("/profile/password", form)
    assert wrong.status_code == 400 and 'href="#f-current"' in wrong.content.decode()
    assert client.post("/profile/password", form | {"current": PASSWORD}).status_code == 302
    assert client.get("/profile").status_code == 200
    back = {"current": "another long phrase", "password": PASSWORD, "again": PASSWORD}
    assert client.post("/profile/password", back).status_code == 302


def test_rows_per_page_and_density_are_kept(atelier: Atelier) -> None:
    client = atelier.client("manager")
    assert (
        client.post(
            "/preferences", {"page_size": "10", "density": "compact", "next": "/o/crm_lead"}
        ).status_code
        == 302
    )
    text = client.get("/o/crm_lead?f=").content.decode()
    assert 'data-density="compact"' in text and text.count("<tr data-href=") == 10
    client.post("/preferences", {"page_size": "25", "density": "normal", "next": "/o/crm_lead"})


def test_a_reset_says_the_same_for_every_address(atelier: Atelier) -> None:
    texts = {
        re.sub(
            r"[\w.]+@\S+ belongs",
            "X belongs",
            atelier.client(None).post("/forgot", {"email": email}).content.decode(),
        )
        for email in (atelier.email("sales"), "unknown@guest.test")
    }
    bodies = {re.search(r"<main.*?</main>", text, re.DOTALL).group() for text in texts}
    assert len(bodies) == 1
    dead = atelier.client(None).get("/reset/not-a-token")
    assert dead.status_code == 400 and "no longer works" in dead.content.decode()


def test_the_plan_and_its_usage_are_shown_and_a_full_one_is_told_in_words(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from django.core.files.uploadedfile import SimpleUploadedFile

    from apps.core.actor import SYSTEM
    from apps.core.scope import platform_scope
    from apps.tenants import plans

    monkeypatch.setattr(settings, "MEDIA_ROOT", tmp_path)
    full = make_atelier("fullhouse")
    with platform_scope("test"):
        limits = {"members": 0, "records": 1, "storage_mb": 0, "requests_minute": None}
        plans.save_plan(code="full", name="Full House", quotas=limits, is_default=False, by=SYSTEM)
        plans.assign_plan(tenant_id=full.ref.id, code="full", by=SYSTEM)
    admin = full.client("admin")
    text = admin.get("/settings/plan").content.decode()
    assert "Full House" in text
    assert text.count("<progress") == 3, "requests have no limit here"
    assert full.client("sales").get("/settings/plan").status_code == 403
    refusals = [
        admin.post("/settings/brand", {"name": "A", "color": "", "logo": SimpleUploadedFile("x.png", PNG)}),
        admin.post("/o/crm_account/new", {"name": "One too many"}),
        admin.post("/o/crm_account/import", {"file": SimpleUploadedFile("a.csv", b"name\nA\n")}),
        admin.post(f"/settings/members/{full.ids['nobody']}", {"action": "suspend"}),
        admin.post(f"/settings/members/{full.ids['nobody']}", {"action": "reactivate"}),
    ]
    assert [answer.status_code for answer in refusals] == [403, 403, 403, 302, 403]
    for answer in refusals[:3] + refusals[4:]:
        assert "limit is reached" in answer.content.decode()
