-- Lines of the operator's that stand inside the block of a VirtualMTA or pool in PowerMTA's
-- configuration; '': none.
ALTER TABLE virtual_mta ADD COLUMN own_lines text NOT NULL DEFAULT '';
ALTER TABLE pool ADD COLUMN own_lines text NOT NULL DEFAULT '';
