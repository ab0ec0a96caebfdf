"""An identity provider of its own: django-oauth-toolkit in a process, database and cookie jar apart from Maestro's."""
