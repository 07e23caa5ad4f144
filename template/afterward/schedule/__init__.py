"""Scheduled tasks: `@task(cron=...)`."""
