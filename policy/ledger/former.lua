-- What limits of a minute and an hour take from before: of versions that counted by the calendar, and
-- of a ledger that was lost.

-- Versions before counted by the calendar. What they charged is counted here: of the period that is
-- running now, of the one before at its end. While gateways of theirs may still run, a day from the
-- first run of this version on, each counts what the other charges.
function rate.mixed()
  local plan = run.plan
  if plan.mixed == nil then
    local since = call('HGET', root .. 'inc', 'smooth')
    if not since then
      since = run.now
      call('HSET', root .. 'inc', 'smooth', since)
    end
    plan.mixed = tonumber(since) > 0 and since + DAY
  end
  return plan.mixed and run.now < plan.mixed
end

function rate.former_key(state, i, period)
  return root .. rate.SPANS[i].name .. ':' .. period .. ':' .. state.former
end

function rate.take_over(state, limits)
  local seen = state.seen or {false, false}
  for i, unit in ipairs(rate.SPANS) do
    if limits[i] >= 0 then
      local now, known, number = math.floor(run.now / unit.length), seen[i] or {0, 0}, 0
      for period = now - 1, now do
        number = tonumber(call('GET', rate.former_key(state, i, period)) or '0')
        local before = known[1] == period and known[2] or known[1] > period and number or 0
        if number > before then
          rate.add(state, i, number - before, math.min(run.now, (period + 1) * unit.length - 1))
          rate.changed(state)
        end
      end
      seen[i] = {now, number}
    end
  end
  state.seen = rate.mixed() and seen
end

-- A ledger that was rebuilt knows nothing of the time before: that counts as used up. For its span from
-- now on, if the clock was put back since: not until it is again as late as it was.
function rate.unknown_past(state, limits)
  if not run.lost then
    run.lost = tonumber(call('HGET', root .. 'inc', 'lost') or '0')
    if run.lost > run.now then
      run.lost = run.now
      call('HSET', root .. 'inc', 'lost', string.format('%d', run.now))
    end
  end
  for i, unit in ipairs(rate.SPANS) do
    if limits[i] > 0 and not state[i] and run.lost + unit.length > run.now then
      rate.add(state, i, limits[i], math.min(run.lost, run.now))
    end
  end
end
