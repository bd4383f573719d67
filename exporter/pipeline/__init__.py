"""Polls the sources, folds samples into totals, survives a crash."""
