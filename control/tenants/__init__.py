"""Tenants: their logins, terms and limits."""
