-- Where duplicate entries stand that are trying, sent or freed: as fields of small hashes, which the
-- server keeps as one run of octets each. A string of its own takes three times the room.
--
-- `dups:BUCKET`, by the first 20 bits of the entry's key (32 hex digits). A field is the next 64: at
-- 22 million entries one in 8 × 10^17 keys meets another's, which is less than one in the life of a
-- disk. Its value: state and attempt, since, length of server, server, owner. The field '' is the
-- second (real) at which the bucket expires: whoever writes an entry that has to live longer moves it,
-- and clears away what is over. So one life a bucket, and none an entry; each bucket has its own turn.
-- Rule: a bucket outlives all it has. Its fields and values stay below 64 octets, and what does not fit
-- stands as a string, so that a server with its usual settings keeps up to 512 of them packed.
local bucket = {}
local STATES = {T = 1, S = 2, F = 3, 'T', 'S', 'F'}
local ATTEMPTS = 32
local LONGEST = 64
-- Parts of a life: of the last one there may be entries that are over already.
local PARTS = 8
local AT_ONCE = 1000             -- fields of one HDEL

-- Name of the bucket and field of a key; nil for one that is no digest.
function bucket.place(key)
  if #key ~= 32 or string.find(key, '[^0-9a-f]') then return nil end
  return root .. 'dups:' .. string.sub(key, 1, 5),
    struct.pack('>I4I4', tonumber(string.sub(key, 6, 13), 16), tonumber(string.sub(key, 14, 21), 16))
end

-- nil where the entry has to be a string: those of messages that wait live as long as their rows.
function bucket.pack(entry)
  local state, server, owner = STATES[entry.state], entry.server, entry.owner
  if not state or entry.attempt >= ATTEMPTS or 8 + #server + #owner > LONGEST then return nil end
  return struct.pack('>BI6Bc0', 8 * entry.attempt + state, entry.since, #server, server) .. owner
end

-- As a string.
function bucket.text(entry)
  local server = entry.server == '' and '-' or entry.server
  return string.format('%s %d %.0f %s %s', entry.state, entry.attempt, entry.since, server, entry.owner)
end

-- state, attempt, since, server, owner
function bucket.unpack(value)
  local head, since, server, at = struct.unpack('>BI6Bc0', value)
  local state = head % 8
  return STATES[state], (head - state) / 8, since, server, string.sub(value, at)
end

-- The name of a bucket has its end in `run.ends`; 0: it is new. `run.bucket_life`: seconds.
function bucket.put(name, field, value)
  local needed = math.floor(run.real / 1000) + 1 + run.bucket_life
  local ends = run.ends[name]
  if ends >= needed then
    call('HSET', name, field, value)
    return
  end
  if ends > 0 then bucket.clear(name) end
  ends = needed + math.floor(run.bucket_life / PARTS)
  call('HSET', name, '', ends, field, value)
  call('EXPIREAT', name, ends)
  run.ends[name] = ends
end

-- Whether nobody asks for it any more.
function bucket.over(value)
  local head, since = struct.unpack('>BI6', value)
  if head % 8 == STATES.S then return run.now - since > run.sent_life end
  return run.real - since > 1000 * run.bucket_life
end

function bucket.remove(name, unwanted)
  local all, gone = call('HGETALL', name), {}
  for i = 1, #all, 2 do
    if all[i] ~= '' and unwanted(all[i + 1]) then gone[#gone + 1] = all[i] end
  end
  for i = 1, #gone, AT_ONCE do call('HDEL', name, unpack(gone, i, math.min(i + AT_ONCE - 1, #gone))) end
  return #gone
end

function bucket.clear(name)
  return bucket.remove(name, bucket.over)
end

-- What a run needs to know of lives: `sent` in milliseconds.
function bucket.lives(sent)
  run.sent_life, run.ends = sent, {}
  run.bucket_life = math.max(math.ceil(sent / 1000), FREE_LIFE)
end
