"""A tenant's own anchor: told over the guarded way out, with a proof that it follows from what it was told before."""

import base64
from collections.abc import Iterator

import orjson
import pytest
from aibos_verify.hashes import consistent
from aibos_verify.notes import opened
from django.test import override_settings

from apps.audit import ledger
from apps.audit.anchors import customer
from apps.audit.merkle import note
from apps.audit.merkle.maker import sign_now
from apps.core.actor import SYSTEM
from apps.core.errors import Invalid
from apps.core.scope import TenantRef, tenant_scope
from tests.audit.settling import settle
from tests.core.listeners import Receiver, plain


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server of the tenant's own, whose address the operator vouches for."""
    made = Receiver()
    with override_settings(EGRESS_ALLOW=["127.0.0.2"]):
        yield made
    made.close()


@pytest.fixture
def book(fresh_tenant: TenantRef) -> TenantRef:
    sign(fresh_tenant)
    return fresh_tenant


def sign(tenant: TenantRef) -> None:
    with tenant_scope(tenant):
        ledger.record("lead.created", by=SYSTEM)
    settle(tenant)
    sign_now(tenant)


def url_of(receiver: Receiver) -> str:
    return f"http://127.0.0.2:{receiver.port}/ledger"


def test_each_checkpoint_arrives_with_its_proof(book: TenantRef, receiver: Receiver) -> None:
    with tenant_scope(book):
        customer.set_place(url=url_of(receiver), by=SYSTEM)
    teller = customer.Teller()
    assert teller.tell(book)
    sign(book)
    assert teller.tell(book)
    first, second = (orjson.loads(body) for _path, _headers, body in receiver.seen)
    assert (first["since"], first["proof"]) == (0, [])
    old, new = (opened(item["checkpoint"], note.keys()) for item in (first, second))
    assert second["since"] == old.size
    proof = [base64.b64decode(item) for item in second["proof"]]
    assert consistent(old.size, new.size, old.root, new.root, proof)
    with tenant_scope(book):
        state = customer.place()
    assert state
    assert (state.position, state.failures, state.error) == (new.size, 0, "")


def test_only_what_is_due_is_told(book: TenantRef, receiver: Receiver) -> None:
    with tenant_scope(book):
        customer.set_place(url=url_of(receiver), by=SYSTEM)
    teller = customer.Teller()
    assert teller.run_once() == 1
    assert teller.run_once() == 0
    sign(book)
    assert teller.run_once() == 0  # told at most once a minute
    assert len(receiver.seen) == 1


@pytest.mark.parametrize("status", [302, 400, 410, 500])
def test_a_refusal_is_noted_and_tried_again_later(book: TenantRef, receiver: Receiver, status: int) -> None:
    with tenant_scope(book):
        customer.set_place(url=url_of(receiver), by=SYSTEM)
    receiver.answer = plain(status)
    teller = customer.Teller()
    assert not teller.tell(book)
    assert teller.run_once() == 0  # not due again at once
    with tenant_scope(book):
        state = customer.place()
    assert state
    assert (state.position, state.failures) == (0, 1)
    assert str(status) in state.error
    receiver.answer = plain(200)
    assert teller.tell(book)
    with tenant_scope(book):
        state = customer.place()
    assert state
    assert (state.failures, state.failing_since, state.error) == (0, None, "")


def test_an_inner_address_is_refused(book: TenantRef) -> None:
    """Negative control: vouched for by the operator, the very same address is called in the tests above."""
    receiver = Receiver()
    try:
        with tenant_scope(book), pytest.raises(Invalid) as refused:
            customer.set_place(url=url_of(receiver), by=SYSTEM)
        assert refused.value.code == "URL_REFUSED"
        with override_settings(EGRESS_ALLOW=["127.0.0.2"]), tenant_scope(book):
            customer.set_place(url=url_of(receiver), by=SYSTEM)
        assert not customer.Teller().tell(book)  # the operator's mind changed: refused when it is called, too
        assert receiver.seen == []
    finally:
        receiver.close()


def test_a_new_address_is_told_from_the_start(book: TenantRef, receiver: Receiver) -> None:
    with tenant_scope(book):
        customer.set_place(url=url_of(receiver), by=SYSTEM)
    customer.Teller().tell(book)
    with tenant_scope(book):
        customer.set_place(url=url_of(receiver) + "/other", by=SYSTEM)
    customer.Teller().tell(book)
    assert [orjson.loads(body)["since"] for _path, _headers, body in receiver.seen] == [0, 0]
    with tenant_scope(book):
        customer.remove_place(by=SYSTEM)
    assert not customer.Teller().tell(book)
