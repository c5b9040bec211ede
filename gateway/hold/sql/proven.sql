-- Per server: up to when a missing receipt proves an absence. Two probes, both accepted, $1
-- milliseconds apart, the second one read; nothing of it from before a gap in the stream, or
-- from before the stream was first looked at.
SELECT s.server, greatest(s.gap_at, s.since) AS gap_at, max(a.sent) AS proven
FROM accounting_stream s
LEFT JOIN (
    probe a JOIN probe b ON b.server = a.server AND b.accepted AND b.read AND b.sent >= a.sent + $1
) ON a.server = s.server AND a.accepted AND a.sent > 0
GROUP BY s.server, s.gap_at, s.since
