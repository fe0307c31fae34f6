"""A verification keeps what was proven besides the chain."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_anchored")]

    operations = [
        migrations.AddField("verification", "details", models.JSONField(default=dict)),
    ]
