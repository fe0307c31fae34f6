"""Jobs over HTTP: what one may see of them, stopping them, trying again."""

import pytest

from apps.core.scope import tenant_scope
from apps.events.jobs.work import Work
from tests.api.conftest import caller

pytestmark = pytest.mark.usefixtures("api")
JOBS = "/api/v1/jobs"


@pytest.fixture
def jobs(people, acme):
    """Two waiting jobs of acme: one of sales, one of the owner."""
    from apps.core.queue import tasks

    task = tasks["objects.import_check"]
    with tenant_scope(acme):
        return {
            name: str(
                Work().enqueue(
                    task, tenant=acme.id, args={"run_id": "hush"}, title=name, by=people.actor(name)
                )
            )
            for name in ("sales", "owner")
        }


def test_members_see_their_own_and_managers_all(owner, sales, jobs):
    mine = {job["id"] for job in sales.get(JOBS).json()["jobs"]}
    assert jobs["sales"] in mine
    assert jobs["owner"] not in mine
    assert set(jobs.values()) <= {job["id"] for job in owner.get(JOBS).json()["jobs"]}
    assert sales.get(f"{JOBS}/{jobs['owner']}").json()["code"] == "RESOURCE_NOT_FOUND"


def test_a_job_tells_its_state_and_not_its_arguments(sales, jobs):
    answer = sales.get(f"{JOBS}/{jobs['sales']}")
    body = answer.json()
    assert (body["status"], body["title"], body["done"]) == ("queued", "sales", 0)
    assert b"hush" not in answer.content


def test_stop_and_try_again(sales, jobs):
    where = f"{JOBS}/{jobs['sales']}"
    assert sales.post(f"{where}/cancel").json() == {"success": True, "id": jobs["sales"]}
    assert sales.get(where).json()["status"] == "cancelled"
    assert sales.post(f"{where}/cancel").json()["code"] == "INVALID_STATE"
    assert sales.post(f"{where}/retry").status_code == 200
    assert sales.get(where).json()["status"] == "queued"
    assert sales.post(f"{JOBS}/{jobs['owner']}/cancel").status_code == 404


def test_pages(owner, jobs):
    page = owner.get(f"{JOBS}?limit=1&status=queued").json()
    rest = owner.get(f"{JOBS}?limit=1&status=queued&cursor={page['nextCursor']}").json()
    assert page["jobs"][0]["id"] != rest["jobs"][0]["id"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "status=nope", "cursor=nope", "limit=9999999999999999999999"]
)
def test_what_cannot_be_meant_is_refused(owner, query):
    assert owner.get(f"{JOBS}?{query}").status_code == 400


def test_another_tenants_job_is_an_absent_job(keys, jobs, globex):
    stranger = caller("globex", keys["owner@globex"])
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry")):
        assert stranger.send(method, f"{JOBS}/{jobs['owner']}{path}").status_code == 404
