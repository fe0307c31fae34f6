from django.db import migrations

from apps.objects.parse import DefinitionErrors, load_body
from apps.objects.schema.search import search_indexes
from apps.objects.schema.state import APP_LABEL, project_state


def build(apps, schema_editor):
    """Give the objects that are there the search index which new ones get when they are published."""
    stored = apps.get_model("objects", "Definition").objects.using(schema_editor.connection.alias)
    for body in stored.filter(state="active").values_list("body", flat=True):
        try:
            definition = load_body(body)
        except DefinitionErrors:
            continue  # it is no object until it is mended and published
        model = project_state([definition]).apps.get_model(APP_LABEL, definition.name)
        for index in search_indexes(definition):
            schema_editor.execute(index.create_sql(model, schema_editor), params=None)


class Migration(migrations.Migration):
    dependencies = [("objects", "0006_column_keys"), ("tenants", "0003_folded_words")]
    operations = [migrations.RunPython(build, migrations.RunPython.noop, hints={"placement": "tenant"})]
