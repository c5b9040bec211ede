-- Writes duplicate entries of a ledger that is being rebuilt; what is there is replaced.
--
-- KEYS[1]  root
-- ARGV[1]  seconds (calendar) a sent entry lives, from its `since` on
-- ARGV[2]  seconds (real) any other entry lives that nobody changes
-- ARGV[3…] key, owner, attempt, state ('H', 'D' or 'S'), since (calendar milliseconds), server, …
-- returns  how many were written: a sent one that has grown old is not
-- cost     O(entries)
run.real = real_ms()
run.now = run.real + tonumber(call('GET', root .. 'offset') or '0')
local packs, written = call('GET', root .. 'entries') == 'packed', 0
bucket.lives(1000 * tonumber(ARGV[1]))
for i = 3, #ARGV, 6 do
  local key, since, life = ARGV[i], tonumber(ARGV[i + 4]), tonumber(ARGV[2])
  local entry = {
    state = ARGV[i + 3], owner = ARGV[i + 1], attempt = tonumber(ARGV[i + 2]), since = since,
    server = ARGV[i + 5],
  }
  if entry.state == 'S' then life = math.ceil((run.sent_life - (run.now - since)) / 1000) end
  if life > 0 then
    local name, field = bucket.place(key)
    local value = packs and name and bucket.pack(entry)
    if value then
      run.ends[name] = run.ends[name] or tonumber(call('HGET', name, '') or '0')
      bucket.put(name, field, value)
      call('DEL', root .. 'dup:' .. key)
    else
      call('SET', root .. 'dup:' .. key, bucket.text(entry), 'EX', life)
      if name then call('HDEL', name, field) end
    end
    written = written + 1
  end
end
return written
