"""Verbs over sources and executors: work, report, refuse."""
