"""The strict parser: every body that two readers could read differently is refused, with the place."""

from decimal import Decimal

import pytest
from django.test import RequestFactory

from apps.api import body
from apps.core.errors import Problem


def request(raw, content_type="application/json", **headers):
    return RequestFactory().generic("POST", "/", raw, content_type=content_type, **headers)


def refused(raw):
    with pytest.raises(Problem) as caught:
        body.parse(raw)
    return caught.value


def test_what_is_json_is_read():
    assert body.parse(b' {"a": [1, 2.50, "\\u00e9", null, true]} ') == {
        "a": [1, Decimal("2.50"), "é", None, True]
    }


def test_fractions_keep_every_digit():
    value = body.parse(b"12345678901234567890.123456789")
    assert value == Decimal("12345678901234567890.123456789")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"name": ',
        b'{"name": "x"} {}',
        b"{'name': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": "\\u0000"}',
        b'{"a": 1e999999999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 0.' + b"1" * 5000 + b"}",
        b"[" * 40 + b"]" * 40,
        b"[" * 200_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"\x00",
        b"nul",
        b'"unterminated',
        b'{"a": "\n"}',
        b"01",
    ],
)
def test_what_is_not_strict_json_is_refused(raw):
    problem = refused(raw)
    assert (problem.status, problem.code) == (400, "INVALID_JSON")


def test_a_syntax_error_names_its_place():
    problem = refused(b'{\n  "name": oops}')
    assert problem.details["position"] == {"offset": 12, "line": 2, "column": 11}


def test_bytes_that_are_not_utf8_name_their_place():
    assert refused(b'{"a": "\xff"}').details["position"] == {"offset": 7}


def test_thirty_two_levels_pass_and_one_more_does_not():
    deepest = b"[" * body.MAX_DEPTH + b"]" * body.MAX_DEPTH
    body.parse(deepest)
    assert "nested" in refused(b"[" + deepest + b"]").message


def test_many_shallow_lists_are_not_deep():
    assert len(body.parse(b"[" + b",".join([b"[]"] * 1000) + b"]")) == 1000


def test_a_body_over_the_limit_is_not_read():
    sent = request(b"x" * 100)
    with pytest.raises(Problem) as caught:
        body.read_bytes(sent, limit=99)
    assert (caught.value.status, caught.value.code) == (413, "PAYLOAD_TOO_LARGE")
    assert sent.read() == b"x" * 100


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("text/plain", {}),
        ("application/x-www-form-urlencoded", {}),
        ("multipart/form-data; boundary=x", {}),
        ("application/json; charset=utf-16", {}),
        ("application/json", {"HTTP_CONTENT_ENCODING": "gzip"}),
        ("", {}),
    ],
)
def test_other_media_are_refused(kind, headers):
    with pytest.raises(Problem) as caught:
        body.check_type(request(b"{}", kind, **headers))
    assert caught.value.status == 415


def test_json_with_a_charset_is_taken():
    body.check_type(request(b"{}", "Application/JSON; charset=UTF-8"))
