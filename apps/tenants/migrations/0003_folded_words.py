from django.db import migrations

from apps.core.db import folding


class Migration(migrations.Migration):
    """The functions of the search, where the administrator's preparation has not made them."""

    dependencies = [("tenants", "0002_default_plan")]
    operations = [migrations.RunSQL(folding.ENSURE, folding.DROP)]
