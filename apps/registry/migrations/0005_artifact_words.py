"""The words of an artifact, as Postgres finds them: of its name first, then its description, then its card."""

from django.db import migrations

FORWARD = """
ALTER TABLE registry_artifact ADD COLUMN words tsvector GENERATED ALWAYS AS (
  setweight(to_tsvector('english', regexp_replace(name, '[^[:alnum:]]+', ' ', 'g')), 'A')
  || setweight(to_tsvector('english', left(description, 20000)), 'B')
  || setweight(to_tsvector('english', left(card, 20000)), 'C')
) STORED;
CREATE INDEX registry_artifact_words ON registry_artifact USING gin (words);
"""
BACKWARD = "ALTER TABLE registry_artifact DROP COLUMN words;"


class Migration(migrations.Migration):
    """Add the column, which is the database's own and no field of the model, and its index."""

    dependencies = [("registry", "0004_signatures")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
