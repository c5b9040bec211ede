-- Before it is sent: its receipt may be read before we hear the 250.
INSERT INTO probe (id, server, sent) VALUES ($1, $2, $3)
