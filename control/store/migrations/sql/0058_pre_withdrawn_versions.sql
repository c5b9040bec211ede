-- Why a version was taken back before it was any plan's; '': it was not.
ALTER TABLE pmta_version ADD COLUMN withdrawn text NOT NULL DEFAULT '';
