"""Handlers say when, rules decide, actions do, models remember, wecom speaks."""
