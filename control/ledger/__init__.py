"""The ledger as control keeps it: opened, lost, rebuilt, restored; its clock."""
