-- Written once for every table of sums: `control.statistics.tables` names the table and its columns;
-- texts are parameters. Only keys that were asked for are grouped by and compared, so that an index
-- gives the rows in their order and a page ends where it is full. Days and the length of a page are
-- numbers in the statement itself: a plan that is kept for any length and any days reads the whole
-- table and sorts it.

-- name: sums
SELECT {keys}
    sum(greatest(relayed, delivered + bounced - late + expired)) AS relayed,
    sum(delivered) AS delivered, sum(bounced) AS bounced,
    sum(bounced_address) AS bounced_address, sum(bounced_block) AS bounced_block,
    sum(bounced_full) AS bounced_full, sum(expired) AS expired, sum(deferred) AS deferred,
    sum(complaints) AS complaints
FROM {table} WHERE day BETWEEN {first} AND {last}{only}
{grouped} LIMIT {limit};

-- name: categories
SELECT category, sum(bounced) AS bounced FROM statistics_category
WHERE day BETWEEN {first} AND {last}{only}
GROUP BY category ORDER BY 2 DESC, 1;

-- name: add
-- Counters that stay have no values at all.
INSERT INTO {table} AS s ({columns})
SELECT {values} FROM unnest({arrays}) AS n ({columns}) ORDER BY {order}
ON CONFLICT ({keys}) DO UPDATE SET {added};
