-- Days that an IP had at its stage before it came here: {at, days: [{day, relayed, …}]}.
ALTER TABLE warmup_state ADD COLUMN imported jsonb;
