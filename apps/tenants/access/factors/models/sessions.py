"""The access room: a browser that somebody is signed in with, findable by whose it is. In the operators' schema too."""

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models


class Session(AbstractBaseSession):
    """A session of Django's, with the person beside it: ending all of somebody's is one statement, however many."""

    person_id = models.BigIntegerField(null=True, db_index=True)
