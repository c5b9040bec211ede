-- Columns of a held row belong to states, and leave with them. A copy that had waited behind another
-- message kept that message's id when it went by itself; its own doubt was then judged by the other
-- one for ever, and it was sent again every second.
--
-- One door: whatever changes a row, by whichever statement of whichever version, comes through this
-- trigger. One wall behind it: the constraint. The table, `x` where a column may be filled:
--
--                             held  claimed  doubt  done  refused  tombstone
--   reason, detail             x      x        x                      x        why it waits
--   until, waiting, due, paused x                                              what it waits for
--   server, vmta, envelope            x        x      x      x                 the last attempt
--   claimant                          x        x                               who has it
--   behind                                     (x)                             whose fate decides
--   ending, verdict                                   x      x                 how it ended
--
-- (x) only for the reasons `duplicate` and, after that, `restored`: such a row had no attempt of its
-- own, and `server` is the one of the message before it. A held row's attempt was given back: it has no envelope id. A claimant
-- stays in doubt, for a claim that was never begun is taken back by the one who made it.

CREATE FUNCTION hold_leave_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'held' THEN
        NEW.until := 0;
        NEW.waiting := false;
        NEW.due := 0;
        NEW.paused := false;
    END IF;
    IF NEW.state IN ('held', 'tombstone') THEN
        NEW.server := '';
        NEW.vmta := '';
        NEW.envelope := '';
    END IF;
    IF NEW.state <> 'doubt' OR NEW.reason NOT IN ('duplicate', 'restored')
        -- What is restored stays behind another only if it was.
        OR (NEW.reason = 'restored'
            AND (OLD.state <> 'doubt' OR OLD.reason NOT IN ('duplicate', 'restored')))
    THEN
        NEW.behind := '';
    END IF;
    IF NEW.behind <> '' THEN
        NEW.vmta := '';
        NEW.envelope := '';
        NEW.claimant := '';
    END IF;
    IF NEW.state NOT IN ('claimed', 'doubt') THEN
        NEW.claimant := '';
    END IF;
    IF NEW.state IN ('done', 'refused') THEN
        NEW.reason := '';
        NEW.detail := '';
    ELSE
        NEW.ending := '';
        NEW.verdict := '';
    END IF;
    RETURN NEW;
END $$;

-- Rows of before, while nobody else waits for the table; what an older gateway leaves meanwhile is
-- put right by the trigger when the row is next changed. That is why the constraint is not
-- validated: it binds what is written from now on, and every day that is still to come.
UPDATE held SET
    until = CASE WHEN state = 'held' THEN until ELSE 0 END,
    waiting = waiting AND state = 'held',
    due = CASE WHEN state = 'held' THEN due ELSE 0 END,
    paused = paused AND state = 'held',
    server = CASE WHEN state IN ('held', 'tombstone') THEN '' ELSE server END,
    vmta = CASE WHEN state IN ('held', 'tombstone')
        OR (state = 'doubt' AND reason IN ('duplicate', 'restored') AND behind <> '') THEN ''
        ELSE vmta END,
    envelope = CASE WHEN state IN ('held', 'tombstone')
        OR (state = 'doubt' AND reason IN ('duplicate', 'restored') AND behind <> '') THEN ''
        ELSE envelope END,
    claimant = CASE WHEN state = 'claimed' OR (state = 'doubt'
        AND (behind = '' OR reason NOT IN ('duplicate', 'restored'))) THEN claimant ELSE '' END,
    behind = CASE WHEN state = 'doubt' AND reason IN ('duplicate', 'restored') THEN behind
        ELSE '' END,
    reason = CASE WHEN state IN ('done', 'refused') THEN '' ELSE reason END,
    detail = CASE WHEN state IN ('done', 'refused') THEN '' ELSE detail END,
    ending = CASE WHEN state IN ('done', 'refused') THEN ending ELSE '' END,
    verdict = CASE WHEN state IN ('done', 'refused') THEN verdict ELSE '' END
WHERE (state <> 'held' AND (until <> 0 OR waiting OR due <> 0 OR paused))
    OR (state IN ('held', 'tombstone') AND (server <> '' OR vmta <> '' OR envelope <> ''))
    OR (behind <> '' AND (state <> 'doubt' OR reason NOT IN ('duplicate', 'restored') OR vmta <> ''
        OR envelope <> '' OR claimant <> ''))
    OR (state NOT IN ('claimed', 'doubt') AND claimant <> '')
    OR (state IN ('done', 'refused') AND (reason <> '' OR detail <> ''))
    OR (state NOT IN ('done', 'refused') AND (ending <> '' OR verdict <> ''));

CREATE TRIGGER held_leave_state BEFORE UPDATE ON held
    FOR EACH ROW EXECUTE FUNCTION hold_leave_state();

ALTER TABLE held ADD CONSTRAINT held_columns_of_state CHECK (
    (state = 'held' OR (until = 0 AND NOT waiting AND due = 0 AND NOT paused))
    AND (state NOT IN ('held', 'tombstone') OR (server = '' AND vmta = '' AND envelope = ''))
    AND (behind = '' OR (state = 'doubt' AND reason IN ('duplicate', 'restored')
        AND vmta = '' AND envelope = '' AND claimant = ''))
    AND (state IN ('claimed', 'doubt') OR claimant = '')
    AND (state NOT IN ('done', 'refused') OR (reason = '' AND detail = ''))
    AND (state IN ('done', 'refused') OR (ending = '' AND verdict = ''))
) NOT VALID;

-- After a backup was put back: as before, but `server` says nothing any more, for an attempt since the
-- dump may have gone to any.
CREATE OR REPLACE FUNCTION hold_restore(at bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
BEGIN
    UPDATE held SET state = 'doubt', reason = 'restored', since = at, claimant = '', server = '',
        detail = 'a backup was restored'
    WHERE state IN ('held', 'claimed') OR (state = 'doubt' AND reason <> 'restored');
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END $$;
