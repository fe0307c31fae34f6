from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0005_schedules")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="acts",
            field=models.JSONField(db_default=models.Value([], output_field=models.JSONField()), default=list),
        ),
    ]
