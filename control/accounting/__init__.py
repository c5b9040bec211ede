"""Reading PowerMTA's accounting files: what settles doubt, and what a lost ledger is rebuilt from.

Owns: following the files, what their records prove, how far they have been read. Not here: what
follows from them (`gateway.hold` settles doubt, the ledger's opening rebuilds counters).
"""
