"""The plan that new tenants get unless another is chosen."""

from django.db import migrations

QUOTAS = {"members": 25, "records": 1_000_000, "storage_mb": 10_240, "requests_minute": 6_000}


def add(apps, schema_editor):
    if schema_editor.connection.schema_name == "public":
        plan = apps.get_model("tenants", "Plan")
        plan.objects.using(schema_editor.connection.alias).get_or_create(
            code="standard", defaults={"name": "Standard", "quotas": QUOTAS, "is_default": True}
        )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
