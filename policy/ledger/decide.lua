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
--          full in an index of their own take 30 to 40 ms, 32 take 16 to 20, one takes 2 ms
--          (tests/bench/ledger.py). Refunds: O(pools of the IP × its indexes).
-- A function of a library (`library.py`), made of the pieces in front of this file
local MARK_LIFE = 5              -- seconds; the releaser refreshes it

local function decide(item)
  gather.rows()
  local name, pool_name, providers = item[2], item[3], item[5]
  local tenant, pool = row('t:' .. name), row('p:' .. pool_name)
  if not tenant or not pool or pool.tenant ~= name then
    return nil, choose.denied('unknown_pool', pool_name, 0, 0, 0)
  end
  local refusal = tenant.unknown and item[4] ~= '' and limit.unknown_denial(tenant, name, item[4])
  if refusal then return nil, refusal end
  if row('g').stopped then return nil, choose.denied('stopped', '', 0, 0, 0) end
  if tenant.paused then return nil, choose.denied('tenant_paused', name, 0, 0, 0) end
  local total = 0
  for i = 1, #providers do total = total + providers[i][2] end

  local window = tenant.window or nil
  if window then
    local opens = opens_at(window, run.now)
    if opens > 0 then return nil, choose.denied('window', name, opens, 0, 0) end
  end

  refusal = limit.rate_denial(tenant, name, providers, total)
  if refusal then return nil, refusal end
  if not item[12] then
    refusal = limit.behind_held(item, window, total, tenant)
    if refusal then return nil, refusal end
  end

  local mailbox, boxes, last, box_limits = '', nil, 0, nil
  if item[4] ~= '' then
    refusal, mailbox, boxes, last = limit.mailbox_denial(tenant, name, item[4], total)
    if refusal then return nil, refusal end
    box_limits = limit.box_limits(tenant, name, item[4])
    if box_limits then
      refusal = rate.denial('mailbox_', mailbox, limit.box_scope(name, mailbox), box_limits, total)
      if refusal then return nil, refusal end
    end
  end

  choose.wake_all()
  local vmta, values, index, place, why
  for _ = 1, DEEPEST do
    vmta, values, index, place =
      choose.pick(pool_name, pool, providers, total, window, item[6], item[7], run.ahead)
    if vmta then break end
    why = choose.sooner(why, values)
    pool_name = pool.overflow
    pool = pool_name and row('p:' .. pool_name)
    if not pool then break end
  end
  if not vmta then return nil, why end

  local ip = vmta.ip
  local step = choose.pace(vmta, values, window)
  local charge = {vmta.name, ip, vmta.server, name, mailbox, providers, run.now, step, run.incarnation, last}
  if item[8] then return charge end

  count.charge_ip(ip, providers, total)
  if step > 0 then
    local tat = math.max(count.value(run.paces, ip), open_time(window, run.now))
    count.put(run.paces, ip, tat + total * step)
  end
  choose.raise_score(index, place, share_used(vmta, count.used_of(values)))
  if boxes then count.charge_mailbox(boxes, name, mailbox, total) end
  charge[11] = limit.charge_rates(tenant, name, providers, total, pool_name, vmta, mailbox, box_limits)
  if next(run.rooms) then
    for i = 1, #providers do
      local slot = item[3] .. ' ' .. providers[i][1]
      if run.rooms[slot] then run.rooms[slot] = run.rooms[slot] - providers[i][2] end
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
  if charge[9] ~= run.incarnation then return end
  local ip, name, mailbox, providers = charge[2], charge[4], charge[5], charge[6]
  local at, step = charge[7], charge[8]
  local total = 0
  for _, pair in ipairs(providers) do total = total + pair[2] end
  local day = math.floor(at / DAY)
  local counters = count.hash(day_key(day, ip))
  count.lower(counters, 'n', total)
  for _, pair in ipairs(providers) do count.lower(counters, 'n:' .. pair[1], pair[2]) end
  if step > 0 then
    count.put(run.paces, ip, math.max(count.value(run.paces, ip) - total * step, 0))
  end
  if mailbox ~= '' then count.refund_mailbox(name, mailbox, day, total, at, charge[10]) end
  -- One without has met none, or is a version's that counted by the calendar: that stands.
  if charge[11] then rate.refund(charge[11], providers, total) end
  run.woken[ip], run.waking = true, true
  run.rooms = {}
end

local function answer(item)
  local kind = item[1]
  if kind == 1 then
    local charge, reason, duplicate = reserve(item)
    if charge then return {1, charge} end
    if duplicate then return {3, duplicate} end
    return {0, {reason.limit, reason.subject, reason.till, reason.bound, reason.used}}
  elseif kind == 2 then
    refund(item[2])
  elseif kind == 3 then
    remember.change(item[2], item[3], item[4], item[5], item[6])
  elseif kind == 4 then
    local slot = item[2] .. ':' .. item[3]
    local marks = run.marks[item[2]]
    if marks then marks[item[3]] = item[4] end     -- else nobody in this batch asks for it
    if item[4] > 0 then
      call('SET', root .. 'mark:' .. slot, item[4], 'EX', MARK_LIFE)
    else
      call('DEL', root .. 'mark:' .. slot)
    end
  else
    local entry = remember.entry(item[2])
    if entry then return {3, remember.met(entry)} end
  end
  return {2, false}
end

-- All that a run knows, in one table of its full size: one that grows is copied at every doubling.
-- `false`: not known yet.
local function fresh(arguments)
  return {
    -- Real and calendar milliseconds, the day, and as text; the plan; the incarnation.
    real = false, now = false, today = false, day = false,
    plan = false, generation = false, plan_key = false, incarnation = false,
    -- Gathering: keys of the MGET with where their values go; rows to read, mailboxes by tenant (a
    -- list, and a set of the same), providers by pool; IPs to read ahead.
    keys = false, slots = {}, names = {},
    fields = {'g'}, named = {}, wanted = {}, asked = {}, ahead = 0,
    -- Counting: counters by key, by IP; mailboxes by tenant; those to be written; names of fields.
    hashes = {}, days = {}, boxes = {}, changed_boxes = {}, changed = {}, named_fields = {}, paces = false,
    -- Rating: states by scope, those to be written; when a rebuilt ledger was opened.
    rates = {}, changed_rates = {}, lost = false,
    -- Choosing: indexes, also by pool and provider; providers with one of their own, by pool; IPs
    -- given something back, whose indexes are put right before the next decision.
    indexes = {}, indexes_of = {}, apart = {}, woken = {}, waking = false,
    -- Limiting, by pool and provider: what their IPs may still take, held mail that could go; by
    -- tenant: mailboxes with limits of their own.
    rooms = {}, marks = {}, owned = {},
    -- Remembering: key to what the server has as a string, to what this run knows, and what to write;
    -- whether buckets may be written, and when each ends; milliseconds, milliseconds, seconds, seconds.
    stored = {}, entries = {}, changed_entries = {}, packs = false, ends = false,
    trying = tonumber(arguments[5]), sent_life = false, bucket_life = false,
    life = tonumber(arguments[7]),
  }
end

local function decide_batch(keys, arguments)
  begin(keys[1], fresh(arguments))
  bucket.lives(tonumber(arguments[6]))
  run.paces = count.hash(root .. 'pace')
  local kept = root .. 'batch:' .. arguments[1]
  local items = cmsgpack.unpack(arguments[3])
  local said = gather.standing(kept, items)
  if said then return said end
  run.incarnation = call('HGET', root .. 'inc', 'id')
  if run.incarnation ~= arguments[2] then
    return cmsgpack.pack({'closed', 0, tonumber(run.generation), run.now, {}})
  end

  local results = {}
  for i = 1, #items do results[i] = answer(items[i]) end
  -- Charges first: a run that fails on the way has counted too much, never too little.
  count.write()
  rate.write()
  remember.write()
  choose.write()
  local sequence = call('HINCRBY', root .. 'inc', 'seq', 1)
  local reply = cmsgpack.pack({'open', sequence, tonumber(run.generation), run.now, results})
  call('SET', kept, reply, 'EX', arguments[4])
  return reply
end
