-- rank, batch -> how many entries were looked at, how many had no record
local first = tonumber(ARGV[2])
local ids = index('ZRANGE', EXPIRY, first, first + ARGV[3] - 1)
local orphans = 0
for _, id in ipairs(ids) do
  if redis.call('EXISTS', P .. 'session:' .. id) == 0 then
    orphans = orphans + 1
    redis.call('ZREM', EXPIRY, id)
    -- Its links are not known: they are dropped by whoever asks for them.
    for _, owner in ipairs(index('SMEMBERS', OWNERS)) do
      index('ZREM', NODE .. owner, id)
    end
  end
end
return {#ids, orphans}
