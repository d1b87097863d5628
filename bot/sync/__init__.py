"""Kegui is compared with WeCom, and repaired."""
