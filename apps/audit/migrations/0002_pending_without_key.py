"""The waiting rows need one index, not two: they are found in order and removed by their place."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE public.audit_pending DROP CONSTRAINT audit_pending_pkey",
            "ALTER TABLE public.audit_pending ADD PRIMARY KEY (id)",
            hints={"placement": "public"},
        ),
    ]
