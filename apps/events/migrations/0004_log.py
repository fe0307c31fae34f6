import apps.audit.models
from django.db import migrations, models

# A row per fact that is never deleted by itself: days are partitions, made ahead by a chore and dropped whole. What
# belongs to no day yet goes to the default partition, so that a write never fails.
LOG = """
ALTER TABLE public.events_outbox RENAME TO events_outbox_before;
CREATE TABLE public.events_outbox (
  id uuid NOT NULL, xid xid8 NOT NULL DEFAULT pg_current_xact_id(), tenant_id uuid, type text NOT NULL, subject text,
  body bytea NOT NULL, written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT events_outbox_pk PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE public.events_outbox_default PARTITION OF public.events_outbox DEFAULT;
INSERT INTO public.events_outbox (id, xid, tenant_id, type, subject, body, written_at)
  SELECT id, xid, tenant_id, type, subject, body, written_at FROM public.events_outbox_before;
DROP TABLE public.events_outbox_before;
CREATE INDEX events_outbox_settled ON public.events_outbox (xid, id);
CREATE INDEX events_outbox_order ON public.events_outbox (tenant_id, xid, id);

ALTER TABLE public.events_inbox RENAME TO events_inbox_before;
CREATE TABLE public.events_inbox (
  event_id uuid NOT NULL, subscriber text NOT NULL, tenant_id uuid,
  handled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT events_inbox_pk PRIMARY KEY (event_id, subscriber)
) PARTITION BY RANGE (event_id);
CREATE TABLE public.events_inbox_default PARTITION OF public.events_inbox DEFAULT;
INSERT INTO public.events_inbox (event_id, subscriber, tenant_id, handled_at)
  SELECT event_id, subscriber, tenant_id, handled_at FROM public.events_inbox_before;
DROP TABLE public.events_inbox_before;
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0003_health")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(LOG, hints={"placement": "public"}),
            ],
            state_operations=[
                migrations.AddIndex(
                    model_name="outboxevent",
                    index=models.Index(fields=["xid", "id"], name="events_outbox_settled"),
                ),
                migrations.DeleteModel(name="InboxEvent"),
                migrations.CreateModel(
                    name="InboxEvent",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "event_id",
                                "subscriber",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("event_id", models.UUIDField()),
                        ("subscriber", models.TextField()),
                        ("tenant_id", models.UUIDField(null=True)),
                        ("handled_at", models.DateTimeField(db_default=models.Func(function="clock_timestamp"))),
                    ],
                    options={"db_table": "events_inbox"},
                ),
            ],
        ),
        migrations.CreateModel(
            name="Position",
            fields=[
                ("consumer", models.TextField(primary_key=True, serialize=False)),
                ("bus", models.TextField()),
                ("xid", apps.audit.models.Xid8Field()),
                ("id", models.UUIDField()),
                ("cluster", models.BigIntegerField()),
                ("moved_at", models.DateTimeField(db_default=models.Func(function="clock_timestamp"))),
            ],
            options={"db_table": "events_position"},
        ),
    ]
