-- Duplicate entries in one run of `decide.lua`: read once, written at the end.
--
-- An entry is one string: state, attempt, since, server, owner. `since` is real time for a message
-- that is being tried (its answer budget is real), calendar time for one that was sent.
local remember = {}
local FREE_LIFE = 86400

function remember.entry(key)
  local known = run.entries[key]
  if known ~= nil then return known or nil end
  local found = run.stored[key]
  if not found then
    run.entries[key] = false
    return nil
  end
  local state, attempt, since, server, owner = string.match(found, '^(%u) (%d+) (%d+) (%S+) (%S+)$')
  local entry = {
    state = state, attempt = tonumber(attempt), since = tonumber(since),
    server = server == '-' and '' or server, owner = owner,
  }
  if state == 'S' and run.now - entry.since > run.sent_life then entry = false end
  run.entries[key] = entry
  return entry or nil
end

function remember.put(key, state, attempt, server, owner)
  local entry = run.entries[key]
  if not (entry and entry.changed) then run.changed_entries[#run.changed_entries + 1] = key end
  run.entries[key] = {
    state = state, attempt = attempt, since = state == 'T' and run.real or run.now,
    server = server, owner = owner, changed = true,
  }
end

-- As another message meets it: one that is tried for longer than an answer may take is in doubt.
function remember.met(entry)
  local state = entry.state
  if state == 'T' and run.real - entry.since > run.trying then state = 'D' end
  return {state, entry.owner, entry.attempt, entry.server}
end

function remember.change(key, owner, attempt, state, server)
  local entry = remember.entry(key)
  if entry then
    if entry.owner ~= owner then
      if entry.state ~= 'F' or state == 'F' then return end
    elseif attempt < entry.attempt or entry.state == 'S'
        or (entry.state == 'F' and attempt == entry.attempt) then
      return
    elseif server == '' then
      server = entry.server
    end
  end
  remember.put(key, state, attempt, server, owner)
end

function remember.write()
  for _, key in ipairs(run.changed_entries) do
    local entry = run.entries[key]
    local life = run.life
    if entry.state == 'S' then
      life = math.ceil(run.sent_life / 1000)
    elseif entry.state == 'F' then
      life = FREE_LIFE
    end
    local server = entry.server == '' and '-' or entry.server
    call('SET', root .. 'dup:' .. key,
      entry.state .. ' ' .. entry.attempt .. ' ' .. entry.since .. ' ' .. server .. ' ' .. entry.owner,
      'EX', life)
  end
end
