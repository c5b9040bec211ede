"""Suppressed recipients as a gateway knows them: a file of its node, mapped by all processes."""
