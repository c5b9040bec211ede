UPDATE probe SET accepted = true WHERE id = $1
