-- What IPs have used, for people: reads only.
--
-- KEYS[1]  root
-- ARGV[1…] IPs
-- returns  {now, {ip, pace mark, field, value, …}, …}
local now = now_ms()
local answer = {string.format('%d', now)}
for _, ip in ipairs(ARGV) do
  local entry = {ip, call('HGET', root .. 'pace', ip) or '0'}
  for _, value in ipairs(call('HGETALL', day_key(math.floor(now / DAY), ip))) do
    entry[#entry + 1] = value
  end
  answer[#answer + 1] = entry
end
return answer
