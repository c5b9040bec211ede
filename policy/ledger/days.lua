-- What IPs' days have counted, those that have anything: reads only. Most of what is asked for was
-- let go of or never was, and what is not there is not to cost an answer.
--
-- KEYS[1]  root
-- ARGV[1…] IP, day (since 1970), …
-- returns  {{index of the pair from 1, field, value, …}, …}
-- cost     O(pairs asked for)
local answer = {}
for i = 1, #ARGV, 2 do
  local counted = call('HGETALL', day_key(tonumber(ARGV[i + 1]), ARGV[i]))
  if #counted > 0 then
    local entry = {string.format('%d', (i + 1) / 2)}
    for _, value in ipairs(counted) do
      entry[#entry + 1] = value
    end
    answer[#answer + 1] = entry
  end
end
return answer
