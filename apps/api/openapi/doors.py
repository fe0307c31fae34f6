"""The document over HTTP, and the page that shows it."""

from typing import ClassVar

from django.http import HttpResponse
from django.shortcuts import render

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, describe
from apps.api.door import NONE, Door
from apps.api.openapi.document import general, of_tenant
from apps.core.scope import tenant_scope
from apps.core.version import product_version
from apps.objects.catalog import catalog
from apps.permissions.access import access_for


class SchemaDoor(Door):
    """`GET /openapi.json`: general for anybody; with a credential, the tenant's objects by name."""

    public: ClassVar[bool] = True
    needs_tenant: ClassVar[bool] = False
    opens: ClassVar[frozenset[str]] = NONE

    @describe("This document", answer=OBJECT, tag="discovery")
    def get(self, call: Call) -> HttpResponse:
        if call.tenant is None or call.identity is None:
            return answers.send(general(product_version()))
        with tenant_scope(call.tenant):
            return answers.send(of_tenant(product_version(), list(catalog()), access_for(call.actor)))


class DocsDoor(Door):
    """`GET /docs`: the interactive page, from files of this server alone."""

    public: ClassVar[bool] = True
    identifies: ClassVar[bool] = False
    needs_tenant: ClassVar[bool] = False
    opens: ClassVar[frozenset[str]] = NONE

    @describe("The interactive page", answer={"type": "string"}, media=("text/html",), tag="discovery")
    def get(self, call: Call) -> HttpResponse:
        return render(call.request, "api/docs.html", {"schema": "/api/v1/openapi.json"})
