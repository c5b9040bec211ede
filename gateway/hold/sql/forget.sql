-- The address leaves the history, too; claimed rows keep it until they are settled.
WITH rows AS (
    UPDATE held SET recipient = '', orcpt = '', message_id = ''
    WHERE lower(convert_from(recipient, 'UTF8')) = lower($1) AND ($2::text IS NULL OR tenant = $2)
        AND state IN ('done', 'refused')
)
UPDATE hold_event SET recipient = '', sender = '', message_id = ''
WHERE lower(convert_from(recipient, 'UTF8')) = lower($1) AND ($2::text IS NULL OR tenant = $2)
