-- -> node, blob, expires of each lease
local leases = {}
local names = index('ZRANGEBYSCORE', P .. 'nodes', '(' .. text(now), '+inf', 'WITHSCORES')
for position = 1, #names, 2 do
  local blob = redis.pcall('HGET', P .. 'lease:' .. names[position], 'blob')
  if blob then
    leases[#leases + 1] = {names[position], mistyped(blob) and '' or blob, names[position + 1]}
  end
end
return leases
