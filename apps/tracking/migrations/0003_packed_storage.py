"""Tell Postgres how the hot tables are used: chunks stay in line, updated rows find room on their page.

A chunk of a hundred points fits a page as it is; trying to compress its values costs time and saves nothing.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE tracking_metricchunk SET (toast_tuple_target = 8160);
ALTER TABLE tracking_metricchunk ALTER COLUMN "values" SET STORAGE EXTERNAL;
ALTER TABLE tracking_latestmetric SET (fillfactor = 80);
ALTER TABLE tracking_run SET (fillfactor = 80);
"""


class Migration(migrations.Migration):
    dependencies = [("tracking", "0002_default_experiment")]
    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
