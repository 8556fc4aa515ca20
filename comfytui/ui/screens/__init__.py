"""The screens beside the dashboard: start, job, login, help, confirmation."""
