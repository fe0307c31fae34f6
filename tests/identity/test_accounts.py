"""Passwords, throttling, resets and refresh tokens: what an attacker tries, beside what must go on working."""

import gzip
import threading

import pytest
from django.core import mail
from django.db import connections
from django.test import override_settings
from django.utils import timezone
from redis.exceptions import RedisError

from apps.audit.models import Pending
from apps.core.errors import Problem
from apps.core.scope import platform_scope, tenant_scope
from apps.identity import access_token, confirmations, mails, passwords, resolve, throttle
from apps.identity.models import RefreshToken, Session, User
from apps.identity.services import accounts, sign_in, tokens

PASSWORD = "correct horse battery"
ARGON = ["django.contrib.auth.hashers.Argon2PasswordHasher", "django.contrib.auth.hashers.MD5PasswordHasher"]


def refused(code, function, *args, **more):
    with pytest.raises(Problem) as caught:
        function(*args, **more)
    assert caught.value.code == code, caught.value
    return caught.value


def actions(tenant):
    import json

    with platform_scope("test"):
        return [
            json.loads(bytes(row.body))
            for row in Pending.objects.filter(tenant_id=tenant.id if tenant else None)
        ]


@pytest.fixture
def person(acme):
    """A member of acme of this test alone."""
    from apps.core.actor import SYSTEM
    from apps.identity.services import members

    email = f"p{timezone.now():%H%M%S%f}@acme.test"
    with tenant_scope(acme):
        return members.create_member(email=email, name="Pat Person", password=PASSWORD, by=SYSTEM).user


class TestPolicy:
    @pytest.mark.parametrize(
        ("password", "code"),
        [
            ("short7!", "min_length"),
            ("x" * 129, "max_length"),
            ("password", "invalid_value"),
            ("Password123", "invalid_value"),
            ("pat.person@acme", "invalid_value"),
        ],
    )
    def test_what_is_refused(self, password, code):
        user = User(email="pat.person@acme.test", name="Pat Person")
        with pytest.raises(Problem) as caught:
            passwords.require_strong(password, user=user)
        assert caught.value.fields[0].code == code

    @pytest.mark.parametrize("password", ["zq8vrtwp", "a plain sentence", "пароль из слов", "y" * 127 + "!"])
    def test_anything_else_goes(self, password):
        passwords.require_strong(password, user=User(email="pat.person@acme.test", name="Pat Person"))

    def test_a_file_of_leaked_passwords(self, tmp_path):
        path = tmp_path / "leaked.gz"
        with gzip.open(path, "wt") as lines:
            lines.write("A-Leaked-Sentence\n")
        user = User(email="a@b.test")
        passwords.require_strong("a-leaked-sentence", user=user)
        with override_settings(BREACHED_PASSWORDS=str(path)):
            refused("VALIDATION_FAILED", passwords.require_strong, "a-leaked-sentence", user=user)

    def test_an_old_hash_becomes_argon2_at_sign_in(self, acme, person, at):
        assert person.password.startswith("md5$")
        with override_settings(PASSWORD_HASHERS=ARGON):
            sign_in.sign_in(email=person.email, password=PASSWORD, place=at(acme))
        with tenant_scope(acme):
            assert User.objects.get(pk=person.pk).password.startswith("argon2$argon2id$")

    def test_the_address_is_one_in_any_case_of_letters(self, acme, person, at):
        assert (
            sign_in.sign_in(email=f"  {person.email.upper()} ", password=PASSWORD, place=at(acme)).user
            == person
        )


class TestNoEnumeration:
    def test_an_unknown_address_costs_one_hash_like_a_known_one(self, acme, person, at, monkeypatch):
        from django.contrib.auth.hashers import MD5PasswordHasher

        counted = []
        real = MD5PasswordHasher.encode
        monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *a, **k: counted.append(1) or real(*a, **k))
        costs = []
        for email in (person.email, "nobody@acme.test"):
            counted.clear()
            refused(
                "INVALID_EMAIL_OR_PASSWORD",
                sign_in.sign_in,
                email=email,
                password="wrong guess",
                place=at(acme),
            )
            costs.append(len(counted))
        assert costs == [1, 1]

    def test_asking_for_a_reset_says_and_does_the_same(self, acme, person, at):
        from apps.events.models import Job

        jobs = []
        for email in (person.email, "nobody@acme.test"):
            with tenant_scope(acme):
                assert accounts.request_reset(email=email, place=at(acme)) is None
                jobs.append(Job.objects.get(name="identity.mail_reset", args__email=email))
                sent = mails.mail_reset(None, **jobs[-1].args)
            assert sent == {"sent": email == person.email}
        assert [message.to for message in mail.outbox] == [[person.email]]

    def test_failed_sign_ins_are_in_the_ledger_without_the_address(self, acme, at):
        refused(
            "INVALID_EMAIL_OR_PASSWORD", sign_in.sign_in, email="ghost@x.test", password="w", place=at(acme)
        )
        entry = [item for item in actions(acme) if item["action"] == "sign_in.failed"][-1]
        assert entry["actor"]["id"] == "anonymous"
        assert "ghost" not in str(entry)


class TestThrottle:
    def guess(self, place, email, times=1, password="wrong guess"):
        answers = []
        for _ in range(times):
            try:
                sign_in.sign_in(email=email, password=password, place=place)
                answers.append(200)
            except Problem as problem:
                answers.append(problem.status)
        return answers

    def test_guessing_is_slowed_and_told(self, acme, person, at, monkeypatch):
        assert self.guess(at(acme), person.email, 7) == [401] * 5 + [429] * 2
        problem = refused(
            "RATE_LIMIT_EXCEEDED", sign_in.sign_in, email=person.email, password=PASSWORD, place=at(acme)
        )
        assert 1 <= int(problem.headers["Retry-After"]) <= 2
        assert [e["details"]["reason"] for e in actions(acme) if e["action"] == "sign_in.blocked"][-1:] == [
            "pair"
        ]
        assert self.guess(at(acme), "nobody@acme.test", 7) == [401] * 5 + [429] * 2  # the same for nobody
        clock = [timezone.now().timestamp() + 3]
        monkeypatch.setattr("time.time", lambda: clock[0])
        assert self.guess(at(acme), person.email, 2) == [401, 429]  # one attempt per delay, which has doubled
        clock[0] += 5
        assert self.guess(at(acme), person.email, password=PASSWORD) == [200]

    def test_delays_double_and_end(self):
        assert [throttle.delay_after(n, 5) for n in (1, 4, 5, 6, 7, 30)] == [0, 0, 2, 4, 8, 900]

    def test_strangers_lock_the_account_for_strangers_only(self, acme, person, at):
        sign_in.sign_in(email=person.email, password=PASSWORD, place=at(acme, ip="198.51.100.7"))
        for number in range(25):
            self.guess(at(acme, ip=f"203.0.113.{number}"), person.email)
        stranger = at(acme, ip="203.0.113.200")
        assert self.guess(stranger, person.email, password=PASSWORD) == [429]
        known_address = at(acme, ip="198.51.100.7")
        assert self.guess(known_address, person.email, password=PASSWORD) == [200]
        known_browser = at(acme, ip="203.0.113.201", device=f"{person.id}:abc")
        assert self.guess(known_browser, person.email, password=PASSWORD) == [200]
        other_browser = at(acme, ip="203.0.113.202", device="01900000-0000-7000-8000-000000000000:abc")
        # A device of somebody else earns nothing. The successes above have forgiven the pairs, not the account.
        assert self.guess(other_browser, person.email, password=PASSWORD) == [429]

    def test_open_sessions_are_not_touched_by_a_lock_out(self, acme, person, at, asking):
        token = sign_in.sign_in(email=person.email, password=PASSWORD, place=at(acme)).token
        self.guess(at(acme), person.email, 10)
        assert resolve.identify(asking(acme, bearer=token)) is not None

    def test_parallel_guesses_do_not_slip_through(self, acme, person, at):
        outcomes, barrier = [], threading.Barrier(8)

        def run():
            barrier.wait(5)
            outcomes.extend(self.guess(at(acme), person.email, 4))
            connections.close_all()

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert outcomes.count(401) <= 6  # five free ones, and at most one more when a second has passed
        assert len(outcomes) == 32

    def test_without_the_cache_each_process_counts(self, acme, person, at, monkeypatch):
        class Broken:
            def __getattr__(self, name):
                raise RedisError

        monkeypatch.setattr(throttle, "cache", Broken())
        assert self.guess(at(acme), person.email, 7) == [401] * 5 + [429] * 2


class TestPasswordChange:
    def test_it_ends_every_other_session_in_every_tenant(self, acme, globex, at, asking):
        from apps.core.actor import SYSTEM
        from apps.identity.services import members

        email = f"two{timezone.now():%H%M%S%f}@two.test"
        with tenant_scope(acme):
            user = members.create_member(email=email, password=PASSWORD, by=SYSTEM).user
        with tenant_scope(globex):
            members.create_member(email=email, by=SYSTEM)
        keep, other, far = (
            sign_in.sign_in(email=email, password=PASSWORD, place=at(tenant))
            for tenant in (acme, acme, globex)
        )
        pair = tokens.issue(email=email, password=PASSWORD, place=at(globex))
        for tenant, token in (
            (acme, keep.token),
            (acme, other.token),
            (globex, far.token),
            (globex, pair.access),
        ):
            assert resolve.identify(asking(tenant, bearer=token)) is not None
        with tenant_scope(acme):
            accounts.change_password(
                by=sign_in.member(user, acme),
                current=PASSWORD,
                new="a much better one",
                session_id=keep.session.id,
            )
        assert resolve.identify(asking(acme, bearer=keep.token)) is not None
        refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=other.token))
        refused("INVALID_TOKEN", resolve.identify, asking(globex, bearer=far.token))
        refused("INVALID_TOKEN", resolve.identify, asking(globex, bearer=pair.access))
        refused("INVALID_TOKEN", tokens.refresh, token=pair.refresh, place=at(globex))
        refused("INVALID_EMAIL_OR_PASSWORD", sign_in.sign_in, email=email, password=PASSWORD, place=at(acme))
        sign_in.sign_in(email=email, password="a much better one", place=at(globex))

    def test_it_needs_the_current_password(self, acme, person):
        by = sign_in.member(person, acme)
        with tenant_scope(acme):
            for _ in range(5):
                refused(
                    "INVALID_PASSWORD", accounts.change_password, by=by, current="wrong", new="a better one"
                )
            refused(
                "RATE_LIMIT_EXCEEDED", accounts.change_password, by=by, current=PASSWORD, new="a better one"
            )

    def test_a_key_has_no_account(self, acme, person):
        from apps.core.actor import Actor

        by = Actor(kind="api_key", id="k", label="k", tenant_id=acme.id, user_id=person.id)
        with tenant_scope(acme):
            refused("FORBIDDEN", accounts.change_password, by=by, current=PASSWORD, new="a better one")


class TestReset:
    def test_a_link_works_once_and_ends_sessions(self, acme, globex, person, at, asking):
        token = sign_in.sign_in(email=person.email, password=PASSWORD, place=at(acme)).token
        with tenant_scope(acme):
            link = confirmations.reset_token(User.objects.get(pk=person.pk))
            refused("VALIDATION_FAILED", accounts.reset_password, token=link, new="password")
            accounts.reset_password(token=link, new="a much better one")
            refused("INVALID_TOKEN", accounts.reset_password, token=link, new="yet another one")
            assert User.objects.get(pk=person.pk).email_verified_at is not None
        refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=token))
        sign_in.sign_in(email=person.email, password="a much better one", place=at(acme))

    def test_it_expires_and_dies_with_the_next_sign_in(self, acme, person, at, monkeypatch):
        with tenant_scope(acme):
            link = confirmations.reset_token(User.objects.get(pk=person.pk))
            assert confirmations.read_reset(link) == person
        sign_in.sign_in(email=person.email, password=PASSWORD, place=at(acme))
        with tenant_scope(acme):
            refused("INVALID_TOKEN", confirmations.read_reset, link)
            link = confirmations.reset_token(User.objects.get(pk=person.pk))
            confirmations.read_reset(link)
            monkeypatch.setattr("apps.identity.confirmations.SECONDS", -1)
            refused("INVALID_TOKEN", confirmations.read_reset, link)

    @pytest.mark.parametrize("token", ["", "x", "a:b:c", "é"])
    def test_guesses_fail(self, in_acme, token):
        refused("INVALID_TOKEN", confirmations.read_reset, token)
        refused("INVALID_TOKEN", confirmations.read_email, token)


class TestAddress:
    def test_the_new_address_is_confirmed_and_the_old_one_told(self, acme, person):
        by, new = sign_in.member(person, acme), f"new-{person.email}"
        with tenant_scope(acme):
            accounts.request_email_change(by=by, password=PASSWORD, email=new.upper())
            assert User.objects.get(pk=person.pk).email == person.email
            token = confirmations.email_token(person, new)
            refused("INVALID_TOKEN", confirmations.read_reset, token)  # a link serves one purpose
            assert accounts.confirm_email(token=token).email == new
            refused("INVALID_TOKEN", accounts.confirm_email, token=token)
            from apps.events.models import Job

            assert Job.objects.filter(name="identity.mail_notice", args__email=person.email).exists()

    def test_an_address_that_is_taken_is_not_revealed(self, acme, person, people):
        by, taken = sign_in.member(person, acme), people.email("sales")
        with tenant_scope(acme):
            assert accounts.request_email_change(by=by, password=PASSWORD, email=taken) is None
            assert mails.mail_email_change(None, user_id=str(person.id), email=taken) == {"sent": False}
            refused("INVALID_TOKEN", accounts.confirm_email, token=confirmations.email_token(person, taken))


class TestRefreshTokens:
    def test_each_works_once_and_reuse_ends_the_family(self, acme, person, at, asking):
        first = tokens.issue(email=person.email, password=PASSWORD, place=at(acme))
        second = tokens.refresh(token=first.refresh, place=at(acme))
        assert resolve.identify(asking(acme, bearer=second.access)) is not None
        refused("TOKEN_REUSED", tokens.refresh, token=first.refresh, place=at(acme))
        refused("INVALID_TOKEN", tokens.refresh, token=second.refresh, place=at(acme))
        refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=second.access))
        assert "token.reused" in [entry["action"] for entry in actions(acme)]
        assert tokens.issue(email=person.email, password=PASSWORD, place=at(acme)).access

    def test_parallel_refreshes_give_one_pair(self, acme, person, at):
        first = tokens.issue(email=person.email, password=PASSWORD, place=at(acme))
        outcomes, barrier = [], threading.Barrier(4)

        def run():
            barrier.wait(5)
            try:
                tokens.refresh(token=first.refresh, place=at(acme))
                outcomes.append("pair")
            except Problem as problem:
                outcomes.append(problem.code)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(outcomes) == ["TOKEN_REUSED"] * 3 + ["pair"]

    def test_another_tenants_refresh_token_is_unknown(self, acme, globex, person, at):
        pair = tokens.issue(email=person.email, password=PASSWORD, place=at(acme))
        refused("INVALID_TOKEN", tokens.refresh, token=pair.refresh, place=at(globex))
        refused("TENANT_MISMATCH", tokens.refresh, token=pair.refresh, place=at(None, named=globex))
        tokens.revoke(token=pair.refresh, place=at(globex))
        assert tokens.refresh(token=pair.refresh, place=at(None)).tenant == acme  # the negative control

    def test_revoking_and_expiry(self, acme, person, at, asking):
        pair = tokens.issue(email=person.email, password=PASSWORD, place=at(acme))
        tokens.revoke(token=pair.refresh, place=at(acme))
        refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=pair.access))
        pair = tokens.issue(email=person.email, password=PASSWORD, place=at(acme))
        with tenant_scope(acme):
            RefreshToken.objects.filter(session__user=person).update(expires_at=timezone.now())
        refused("INVALID_TOKEN", tokens.refresh, token=pair.refresh, place=at(acme))

    def test_keys_rotate(self, acme, person, at, asking):
        pair = tokens.issue(email=person.email, password=PASSWORD, place=at(acme))
        with override_settings(SECRET_KEY="new-" + "k" * 60, SECRET_KEY_FALLBACKS=["test-key-" + "0" * 50]):
            assert resolve.identify(asking(acme, bearer=pair.access)) is not None
            newer = tokens.refresh(token=pair.refresh, place=at(acme))
        refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=newer.access))
        with override_settings(SECRET_KEY="new-" + "k" * 60, SECRET_KEY_FALLBACKS=[]):
            refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=pair.access))
            assert resolve.identify(asking(acme, bearer=newer.access)) is not None

    def test_forged_and_stale_access_tokens(self, acme, person, at, asking):
        import jwt

        pair = tokens.issue(email=person.email, password=PASSWORD, place=at(acme))
        claims = jwt.decode(pair.access, options={"verify_signature": False})
        header = jwt.get_unverified_header(pair.access)
        own = {"headers": {"kid": header["kid"], "typ": header["typ"]}}
        forged = [
            jwt.encode(claims, None, algorithm="none", **own),
            jwt.encode(claims, "guessed" * 8, algorithm="HS256", **own),
            jwt.encode(claims, dict(access_token._keys())[header["kid"]], algorithm="HS256"),
            jwt.encode(claims | {"aud": "other"}, dict(access_token._keys())[header["kid"]], "HS256", **own),
        ]
        for token in forged:
            refused("INVALID_TOKEN", resolve.identify, asking(acme, bearer=token))
        expired = jwt.encode(claims | {"exp": 1}, dict(access_token._keys())[header["kid"]], "HS256", **own)
        refused("TOKEN_EXPIRED", resolve.identify, asking(acme, bearer=expired))
        again = jwt.encode(claims, dict(access_token._keys())[header["kid"]], "HS256", **own)
        assert resolve.identify(asking(acme, bearer=again)) is not None  # the negative control

    def test_families_are_listed_among_the_sessions(self, acme, person, at):
        tokens.issue(email=person.email, password=PASSWORD, place=at(acme))
        with tenant_scope(acme):
            assert Session.objects.filter(user=person, kind="token").count() == 1
