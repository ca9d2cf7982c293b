"""Requests for advice: asked by a school, answered by officers."""
