"""The hold: messages that wait durably in PostgreSQL until an IP may send them."""
