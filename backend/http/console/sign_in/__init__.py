"""Signing in and out, and a new password by a link."""
