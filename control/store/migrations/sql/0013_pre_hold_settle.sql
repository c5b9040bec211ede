-- An operator says what became of mail in doubt: `settle`, with `outcome`.
ALTER TABLE hold_request
    ADD COLUMN outcome text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'delivered', 'absent')),
    DROP CONSTRAINT hold_request_action_check,
    ADD CONSTRAINT hold_request_action_check
        CHECK (action IN ('pause', 'resume', 'release', 'drop', 'forget', 'settle')),
    ADD CONSTRAINT hold_request_outcome CHECK ((action = 'settle') = (outcome <> ''));
