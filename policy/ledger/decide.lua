-- One batch of reservations, refunds and changes of entries, decided in one step.
--
-- KEYS[1]  root
-- ARGV[1]  batch id; the reply is kept for ARGV[4] seconds, so that a repeated batch changes nothing
-- ARGV[2]  incarnation the caller believes in
-- ARGV[3]  msgpack array of items: [1, tenant, pool, mailbox, [[provider, count]…], away, broken, dry,
--          key, owner, attempt, held], [2, charge] with charge as it was granted, [3, key, owner,
--          attempt, state, server], [4, pool, provider, count] or [5, key]
-- ARGV[4]  seconds to keep the reply (real time)
-- ARGV[5]  milliseconds (real time) after which a message still tried is in doubt
-- ARGV[6]  milliseconds (calendar) a sent entry counts
-- ARGV[7]  seconds (real time) an entry lives that nobody changes
-- returns  msgpack [state, sequence, generation, now, results]; state 'open' or 'closed';
--          a result is [1, charge…] granted, [0, limit, subject, until, bound, used] denied,
--          [3, [state, owner, attempt, server]] a duplicate, [2, false] for anything else
-- cost     O(1) a reservation in the common case: the index of a pool keeps its IPs by share used;
--          full ones wait in a second set under the time they are free again. What several items
--          read is read once, what they change is written once. An index is built once a generation
--          and day, and so is one for a provider that meets a ceiling of its own: O(IPs), about 5 µs
--          an IP. Longest run: as many new indexes as items; 64 items that each find 99 of 100 IPs
--          full in an index of their own take 30 to 40 ms, one such item 1.5 ms
--          (tests/bench/ledger.py). Refunds: O(pools of the IP × its indexes).
-- Pieces  counting.lua, choosing.lua, limiting.lua and remembering.lua stand in front of this file
local MARK_LIFE = 5              -- seconds; the releaser refreshes it

-- What the whole batch needs is asked for with few commands before the first item is decided.
local items = cmsgpack.unpack(ARGV[3])
local keys = {root .. 'batch:' .. ARGV[1], root .. 'gen', root .. 'offset'}
local slots, names, fields, named = {}, {}, {'g'}, {}
local ahead = 0

local function need_row(field)
  if not named[field] then
    named[field] = true
    fields[#fields + 1] = field
  end
end

local function need(slot, prefix, name)
  keys[#keys + 1] = root .. prefix .. name
  slots[#keys], names[#keys] = slot, name
end

for i = 1, #items do
  local item = items[i]
  local kind, key = item[1], nil
  if kind == 1 then
    local name, pool, mailbox, providers = item[2], item[3], item[4], item[5]
    need_row('t:' .. name)
    need_row('p:' .. pool)
    if mailbox ~= '' then
      local batch = count.wanted[name] or {}
      count.wanted[name] = batch
      batch[#batch + 1] = mailbox
    end
    if not item[12] and #providers == 1 then
      local slot = pool .. ':' .. providers[1][1]
      if limit.marks[slot] == nil then
        limit.marks[slot] = 0
        need(limit.marks, 'mark:', slot)
      end
    end
    key = item[9]
    ahead = math.min(ahead + 1, AHEAD)
  elseif kind == 3 or kind == 5 then
    key = item[2]
  end
  if key and key ~= '' then need(remember.stored, 'dup:', key) end
end

local standing = redis.call('MGET', unpack(keys))
if standing[1] then return standing[1] end
in_force(standing[2])
run.now = run.real + tonumber(standing[3] or '0')
run.today = math.floor(run.now / DAY)
for i = 4, #keys do
  if slots[i] == limit.marks then
    limit.marks[names[i]] = tonumber(standing[i] or '0')
  else
    remember.stored[names[i]] = standing[i]
  end
end

local incarnation = redis.call('HGET', root .. 'inc', 'id')
if incarnation ~= ARGV[2] then
  return cmsgpack.pack({'closed', 0, tonumber(generation), run.now, {}})
end

local function decide(item)
  if fields then
    -- Rows of the whole batch, but not for a batch of copies.
    read_rows(fields)
    fields = nil
  end
  local name, pool_name, providers = item[2], item[3], item[5]
  local tenant, pool = row('t:' .. name), row('p:' .. pool_name)
  if not tenant or not pool or pool.tenant ~= name then
    return nil, choose.denied('unknown_pool', pool_name, 0, 0, 0)
  end
  if tenant.paused then return nil, choose.denied('tenant_paused', name, 0, 0, 0) end
  local total = 0
  for i = 1, #providers do total = total + providers[i][2] end

  local window = tenant.window or nil
  local opens = opens_at(window, run.now)
  if opens > 0 then return nil, choose.denied('window', name, opens, 0, 0) end

  local refusal = limit.rate_denial(tenant, name, total)
  if refusal then return nil, refusal end
  if not item[12] then
    refusal = limit.behind_held(item, window, total)
    if refusal then return nil, refusal end
  end

  local mailbox, boxes, gap, last = '', nil, 0, 0
  if item[4] ~= '' then
    refusal, mailbox, boxes, gap, last = limit.mailbox_denial(tenant, name, item[4], total)
    if refusal then return nil, refusal end
  end

  choose.wake_all()
  local vmta, values, index, place, why
  for _ = 1, DEEPEST do
    vmta, values, index, place =
      choose.pick(pool_name, pool, providers, total, window, item[6], item[7], ahead)
    if vmta then break end
    why = choose.sooner(why, values)
    pool_name = pool.overflow
    pool = pool_name and row('p:' .. pool_name)
    if not pool then break end
  end
  if not vmta then return nil, why end

  local ip = vmta.ip
  local step = choose.pace(vmta, math.max(values.o or 0, 0), window)
  local charge = {vmta.name, ip, vmta.server, name, mailbox, providers, run.now, step, incarnation, last}
  if item[8] then return charge end

  count.charge_ip(ip, providers, total)
  if step > 0 then
    local tat = math.max(count.value(count.paces, ip), open_time(window, run.now))
    count.put(count.paces, ip, tat + total * step)
  end
  choose.raise_score(index, place, share_used(vmta, count.used_of(values)))
  if boxes then
    count.charge_mailbox(boxes, mailbox, total)
    if gap > 0 then
      local sent = limit.last_sent(run.today, name)
      count.put(sent, mailbox, run.now)
      sent.life = 3 * 86400
    end
  end
  limit.charge_rates(tenant, name, total)
  if next(limit.rooms) then
    for i = 1, #providers do
      local slot = item[3] .. ' ' .. providers[i][1]
      if limit.rooms[slot] then limit.rooms[slot] = limit.rooms[slot] - providers[i][2] end
    end
  end
  return charge
end

local function reserve(item)
  local key, owner, attempt = item[9], item[10], item[11]
  if not key or key == '' or item[8] then return decide(item) end
  local entry = remember.entry(key)
  if entry and entry.state ~= 'F' and entry.owner ~= owner then return nil, nil, remember.met(entry) end
  local charge, reason = decide(item)
  local state, server = 'T', charge and charge[3] or ''
  if entry and entry.owner == owner and entry.state ~= 'F' then
    state = entry.state
    -- Nothing was granted: the row still stands at the attempt before, and so will who ends it.
    if not charge and state ~= 'T' then return charge, reason end
  end
  remember.put(key, state, attempt, server, owner)
  return charge, reason
end

local function refund(charge)
  if charge[9] ~= incarnation then return end
  local ip, name, mailbox, providers = charge[2], charge[4], charge[5], charge[6]
  local at, step = charge[7], charge[8]
  local total = 0
  for _, pair in ipairs(providers) do total = total + pair[2] end
  local day = math.floor(at / DAY)
  local counters = count.hash(day_key(day, ip))
  count.lower(counters, 'n', total)
  for _, pair in ipairs(providers) do count.lower(counters, 'n:' .. pair[1], pair[2]) end
  if step > 0 then
    count.put(count.paces, ip, math.max(count.value(count.paces, ip) - total * step, 0))
  end
  if mailbox ~= '' then
    local last = limit.last_sent(day, name)
    -- Nothing was sent: the spacing counts from the message before, or another IP could not try.
    if count.value(last, mailbox) == at then count.put(last, mailbox, charge[10]) end
    count.lower(count.mailboxes(day, name), mailbox, total)
  end
  for _, scope in ipairs({name, ''}) do
    for _, window in ipairs(count.WINDOWS) do
      local counter = count.rate(window, at, scope)
      if counter.count > 0 then count.put_rate(counter, counter.count - math.min(total, counter.count)) end
    end
  end
  choose.woken[ip] = true
  limit.rooms = {}
end

local results = {}
for i = 1, #items do
  local item = items[i]
  local kind = item[1]
  local result
  if kind == 1 then
    local charge, reason, duplicate = reserve(item)
    if charge then
      result = {1, charge}
    elseif duplicate then
      result = {3, duplicate}
    else
      result = {0, {reason.limit, reason.subject, reason.till, reason.bound, reason.used}}
    end
  elseif kind == 2 then
    refund(item[2])
  elseif kind == 3 then
    remember.change(item[2], item[3], item[4], item[5], item[6])
  elseif kind == 4 then
    local slot = item[2] .. ':' .. item[3]
    limit.marks[slot] = item[4]
    if item[4] > 0 then
      redis.call('SET', root .. 'mark:' .. slot, item[4], 'EX', MARK_LIFE)
    else
      redis.call('DEL', root .. 'mark:' .. slot)
    end
  else
    local entry = remember.entry(item[2])
    if entry then result = {3, remember.met(entry)} end
  end
  results[i] = result or {2, false}
end

-- Charges first: a script that fails on the way has counted too much, never too little.
count.write()
remember.write()
choose.write()
local sequence = redis.call('HINCRBY', root .. 'inc', 'seq', 1)
local reply = cmsgpack.pack({'open', sequence, tonumber(generation), run.now, results})
redis.call('SET', root .. 'batch:' .. ARGV[1], reply, 'EX', ARGV[4])
return reply
