-- Decoded rows of the plans in force, kept from run to run: reading and decoding those of a batch of
-- six took as many commands as deciding it.
--
-- Rule: rows are those of one publication. A generation's rows never change, but its number may come
-- again with other rows when a ledger has lost its data; what `publish.lua` writes beside the number
-- does not, and every run reads it. Without it (an older control published) nothing is kept.
local keep = {}
local MOST_LEDGERS = 8
local MOST_ROWS = 10000          -- of a ledger's plan, about a kilobyte each
local plans, ledgers = {}, 0

-- `published`: the number and a random word, or false.
function keep.in_force(number, published)
  in_force(number)
  local stem = run.generation .. ' '
  if not published or string.sub(published, 1, #stem) ~= stem then return end
  local plan = plans[root]
  if not plan then
    if ledgers == MOST_LEDGERS then plans, ledgers = {}, 0 end
    ledgers = ledgers + 1
  end
  if not plan or plan.published ~= published or plan.size > MOST_ROWS then
    plan = {published = published, rows = {}, size = 0}
    plans[root] = plan
  end
  run.plan = plan
end
