-- name: one
SELECT sealed FROM naming_key;

-- name: put
INSERT INTO naming_key (sealed) VALUES ($1) ON CONFLICT DO NOTHING;
