-- index, schema, from what expiry on ('' for now), limit
--   -> ids, ids of what cannot be read, where to go on ('' at the end)
local key, schema, limit = P .. ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[5])
local from = ARGV[4] ~= '' and ARGV[4] or '(' .. text(now)
local readable, unreadable = {}, {}
local entries = index('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
for position = 1, #entries, 2 do
  local id = entries[position]
  local record = P .. 'session:' .. id
  -- Less than read() does, as there may be many.
  local found = redis.pcall('HMGET', record, 'schema', 'size')
  if not mistyped(found) and found[1] and tonumber(found[1]) <= schema
      and redis.call('HSTRLEN', record, 'blob') == tonumber(found[2]) then
    readable[#readable + 1] = id
  elseif redis.call('EXISTS', record) == 1 then
    unreadable[#unreadable + 1] = id
  else
    redis.call('ZREM', key, id)
  end
end
return {readable, unreadable, #entries == 2 * limit and entries[#entries] or ''}
