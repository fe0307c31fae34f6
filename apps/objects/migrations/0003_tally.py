from django.db import migrations


def _sequence(name):
    return migrations.RunSQL(
        f"CREATE SEQUENCE IF NOT EXISTS {name}", f"DROP SEQUENCE IF EXISTS {name}", hints={"placement": "tenant"}
    )


class Migration(migrations.Migration):
    """The two sequences that tell how many records a tenant has; see apps.objects.records.tally."""

    dependencies = [("objects", "0002_imports")]
    operations = [_sequence("records_made"), _sequence("records_gone")]
