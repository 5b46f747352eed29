"""Runs in, one page to look at out: what is to be shown, gathered; drawn; written as HTML."""
