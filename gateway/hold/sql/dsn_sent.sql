UPDATE hold_event SET dsn = 'sent' WHERE id = $1
