"""Plain DRF: model, serializer, view set, token."""

from django.urls import include, path
from rest_framework import filters, pagination, routers, serializers, viewsets

from bench.peers.leads.models import Lead


class LeadSerializer(serializers.ModelSerializer):
    class Meta:
        model = Lead
        fields = "__all__"


class Pages(pagination.LimitOffsetPagination):
    default_limit = 25

    def get_count(self, queryset):
        return 0  # totals are the database's cost and not asked of anybody here


class LeadViews(viewsets.ModelViewSet):
    queryset = Lead.objects.all()
    serializer_class = LeadSerializer
    pagination_class = Pages
    filter_backends = [filters.OrderingFilter]
    ordering_fields = ["score"]

    def get_queryset(self):
        status = self.request.query_params.get("status")
        return Lead.objects.filter(status=status) if status else Lead.objects.all()

    def paginate_queryset(self, queryset):
        return list(queryset[: int(self.request.query_params.get("top", 25))])

    def get_paginated_response(self, data):
        from rest_framework.response import Response

        return Response({"records": data})


router = routers.SimpleRouter(trailing_slash=False)
router.register("leads", LeadViews)
urlpatterns = [path("", include(router.urls))]
