DELETE FROM probe WHERE sent > 0 AND sent < $1
