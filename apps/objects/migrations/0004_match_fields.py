"""An import may find existing records by several fields."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("objects", "0003_tally")]

    operations = [
        migrations.AlterField(
            model_name="importrun",
            name="match_field",
            field=models.CharField(blank=True, max_length=300),
        ),
    ]
