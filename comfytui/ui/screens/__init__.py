"""The other screens: start, job, login, help, questions."""
