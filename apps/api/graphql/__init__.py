"""GraphQL: a schema for each tenant and bundle of rights; owns no data; must never read records but by apps.objects.query."""
