"""Decide who may share what, from where: the first matching rule decides. Pure."""
