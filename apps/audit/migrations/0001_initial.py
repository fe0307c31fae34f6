import django.db.models.expressions
from django.db import migrations, models

import apps.audit.models
import apps.core.ids
from apps.audit import walls


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Pending",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("entry_id", models.UUIDField(default=apps.core.ids.uuid7)),
                (
                    "xid",
                    apps.audit.models.Xid8Field(
                        db_default=django.db.models.expressions.Func(function="pg_current_xact_id")
                    ),
                ),
                ("tenant_id", models.UUIDField(null=True)),
                ("action", models.TextField()),
                ("target", models.TextField(null=True)),
                ("body", models.BinaryField()),
                (
                    "written_at",
                    models.DateTimeField(
                        db_default=django.db.models.expressions.Func(function="clock_timestamp")
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant_id", "xid", "id"], name="audit_pending_order"),
                ]
            },
        ),
        migrations.CreateModel(
            name="Head",
            fields=[
                (
                    "tenant_id",
                    models.UUIDField(default=apps.core.ids.NIL, primary_key=True, serialize=False),
                ),
                ("seq", models.BigIntegerField(default=0)),
                ("hash", models.BinaryField(default=apps.audit.models.GENESIS)),
                ("error", models.TextField(db_default="", default="")),
                (
                    "moved_at",
                    models.DateTimeField(
                        db_default=django.db.models.expressions.Func(function="clock_timestamp")
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("hash", models.BinaryField()),
                ("prev", models.BinaryField()),
                ("body", models.BinaryField()),
                ("id", models.UUIDField(editable=False, unique=True)),
                ("action", models.TextField()),
                ("target", models.TextField(null=True)),
                ("actor", models.TextField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("target__isnull", False)),
                        fields=["target", "id"],
                        name="audit_entry_target",
                    ),
                    models.Index(fields=["actor", "id"], name="audit_entry_actor"),
                ]
            },
        ),
        migrations.RunSQL(walls.APPEND_ONLY, migrations.RunSQL.noop, hints={"placement": "public"}),
        migrations.RunSQL(walls.SEAL, migrations.RunSQL.noop, hints={"placement": "both"}),
        migrations.RunSQL(walls.SHARED, migrations.RunSQL.noop, hints={"placement": "public"}),
    ]
