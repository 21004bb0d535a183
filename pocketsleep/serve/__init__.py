"""The day: one live conversation (day), and the local server in front of it (api, guard)."""
