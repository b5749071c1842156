"""Campaigns: the list, one with everybody in it, the check before its launch, and the form."""
