UPDATE hold_event SET dsn = 'wanted' WHERE id = $1 AND dsn = 'sending'
