"""Reading PowerMTA's accounting files: the evidence for doubt and for a lost ledger.

Owns: following the files, what their records prove, how far they have been read. Not here: what
follows from the evidence (`gateway.hold` settles doubt, the ledger's opening rebuilds counters).
"""
