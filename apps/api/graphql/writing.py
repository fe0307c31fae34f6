"""Mutations: one after the other through the records' services, each in its own transaction as everywhere else.

What one of them refuses is an error beside the others, which stand. With an `Idempotency-Key` all of them are in
one transaction with the kept answer; then too a refused one leaves the others standing.
"""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLError

from apps.api.call import Call
from apps.api.data.access import served_object
from apps.api.graphql import laying
from apps.api.graphql.meaning import Root
from apps.api.graphql.problems import BAD_INPUT, of_error, of_problem
from apps.api.graphql.running import Answer, Asked, Run
from apps.api.graphql.selecting import TYPENAME, Nodes
from apps.core.errors import Problem
from apps.objects import records
from apps.objects.query import plans
from apps.objects.query.run import page as page_of


def write(asked: Asked, call: Call) -> Answer:
    """Carry out the mutations of a request in their order; raises `Unfit` before the first when it cannot be begun."""
    run = plans.with_view(asked.tenant, asked.by, lambda view: Run(asked, view))
    parts, errors = [], []
    for key, nodes in run.fields.items():
        try:
            text = _written(run, call, nodes)
        except Problem as problem:
            errors.append(of_problem(problem, [key], nodes[0]))
            text = "null"
        except GraphQLError as error:
            errors.append(of_error(error, BAD_INPUT) | {"path": [key]})
            text = "null"
        parts.append((key, text))
    return Answer(laying.mapping(parts), errors)


def _written(run: Run, call: Call, nodes: Nodes) -> str:
    name = nodes[0].name.value
    if name == TYPENAME:
        return laying.quoted("Mutation")
    root = run.made.roots["mutation", name]
    verb = "delete" if root.verb == "restore" else root.verb
    served_object(call, root.object, verb)
    given = run.selector.arguments("Mutation", nodes[0])
    record_id = _SERVICES[root.verb](root, given, call)
    return laying.quoted(record_id) if root.verb == "delete" else _shown(run, root, record_id, nodes)


def _create(root: Root, given: dict[str, Any], call: Call) -> str:
    return records.create(root.object, given["data"], by=call.actor, tenant=call.tenant).id


def _update(root: Root, given: dict[str, Any], call: Call) -> str:
    changed = records.update(
        root.object,
        given["id"],
        given["data"],
        by=call.actor,
        tenant=call.tenant,
        if_match=given.get("ifMatch"),
    )
    return changed.id


def _delete(root: Root, given: dict[str, Any], call: Call) -> str:
    gone = records.delete(
        root.object, given["id"], by=call.actor, tenant=call.tenant, if_match=given.get("ifMatch")
    )
    return gone.id


def _restore(root: Root, given: dict[str, Any], call: Call) -> str:
    return records.restore(root.object, given["id"], by=call.actor, tenant=call.tenant).id


_SERVICES: dict[str, Callable[[Root, dict[str, Any], Call], str]] = {
    "create": _create,
    "update": _update,
    "delete": _delete,
    "restore": _restore,
}


def _shown(run: Run, root: Root, record_id: str, nodes: Nodes) -> str:
    """Return the record as it is now, as a query would show it; null when the writer may not see it."""

    def ask(view: plans.View) -> str:
        run.selector.view = view
        obj, query = run.selector.record(root.object, record_id, nodes)
        page = page_of(view, obj, query, by=run.asked.by)
        return page.rows[0] if page.rows else "null"

    return plans.with_view(run.asked.tenant, run.asked.by, ask)
