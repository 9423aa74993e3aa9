-- batch -> how many were removed, how many of them were records
local gone = index('ZRANGEBYSCORE', EXPIRY, '-inf', text(now), 'LIMIT', 0, ARGV[2])
for _, id in ipairs(gone) do
  local record, left = read(id)
  if record then
    link(id, record) -- it lives: its entry was wrong
  elseif record == nil and left then
    remove(id, left)
  else
    redis.call('ZREM', EXPIRY, id) -- what is no record of ours is left alone
  end
end
if #gone == 0 then
  index('ZREMRANGEBYSCORE', P .. 'nodes', '-inf', text(now))
  for _, owner in ipairs(index('SMEMBERS', OWNERS)) do
    index('ZREMRANGEBYSCORE', NODE .. owner, '-inf', text(now))
    if redis.call('EXISTS', NODE .. owner) == 0 then
      redis.call('SREM', OWNERS, owner)
    end
  end
end
return #gone
