import jobs_maint


def on_app_ready(app):
    jobs_maint.register(app)
