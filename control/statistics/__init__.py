"""Statistics: what became of mail, counted by the day of its grant in the transaction that
remembers the records, and answered from sums.

Owns: how a record counts, whose it is, the tables of sums and the questions to them. Not here:
which records count (`control.accounting.door`), and what follows from the figures.
"""
