from django.db import migrations

from apps.audit import walls


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_verification_details")]

    operations = [
        migrations.RunSQL(walls.PRUNABLE, walls.APPEND_ONLY, hints={"placement": "public"}),
    ]
