SELECT server, max(sent) AS sent FROM probe WHERE accepted GROUP BY server
