"""The tenant's own layer over a module's objects."""

import apps.core.ids
import apps.core.ordered_json
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("objects", "0004_match_fields")]

    operations = [
        migrations.CreateModel(
            name="Overlay",
            fields=[
                ("id", models.UUIDField(default=apps.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=64, verbose_name="name")),
                ("state", models.CharField(choices=[("active", "active"), ("draft", "draft")], default="active", max_length=10, verbose_name="state")),
                ("body", apps.core.ordered_json.OrderedJSONField(verbose_name="overlay")),
                ("base", apps.core.ordered_json.OrderedJSONField(default=dict, verbose_name="module's definition")),
                ("told", models.JSONField(default=list, verbose_name="settled clashes")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("updated_by", models.CharField(blank=True, default="", max_length=200)),
            ],
            options={
                "verbose_name": "overlay",
                "verbose_name_plural": "overlays",
                "ordering": ["name"],
                "constraints": [models.UniqueConstraint(fields=("name", "state"), name="objects_overlay_once")],
            },
        ),
    ]
