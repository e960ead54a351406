import multiprocessing
import os

bind = "127.0.0.1:" + os.environ["PORT"]
chdir = os.path.dirname(os.path.abspath(__file__))
raw_env = ["DJANGO_SETTINGS_MODULE=settings"]
wsgi_app = "django.core.wsgi:get_wsgi_application()"
loglevel = "warning"
# The fastest of two to five processes, with one to four threads: more than this have the processors wait for each other.
workers = multiprocessing.cpu_count() + 1
