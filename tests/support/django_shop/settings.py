"""A small Django project as the page on Django describes one; its database is the test's."""

import os

from psycopg.conninfo import conninfo_to_dict

_found = conninfo_to_dict(os.environ["JOB_QUEUE_DATABASE_URL"])

SECRET_KEY = "of a test"
USE_TZ = True
INSTALLED_APPS = ["procrastinate.contrib.django", "tests.support.django_shop.shop"]
PROCRASTINATE_ON_APP_READY = "tests.support.django_shop.procrastinate.on_app_ready"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _found["dbname"],
        "USER": _found["user"],
        "HOST": _found["host"],
    }
}
