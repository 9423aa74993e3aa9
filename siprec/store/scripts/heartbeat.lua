-- node, instance, ttl, blob -> taken (renewed: 1) | held instance blob expires
local node, instance = ARGV[2], ARGV[3]
local key, expires = P .. 'lease:' .. node, now + ARGV[4]
local held = index('HMGET', key, 'instance', 'blob')
if held[1] and held[1] ~= instance then
  return {'held', held[1], held[2] or '', now + redis.call('PTTL', key)}
end
redis.call('HSET', key, 'instance', instance, 'blob', ARGV[5])
redis.call('PEXPIREAT', key, text(expires))
index('ZADD', P .. 'nodes', text(expires), node)
return {'taken', held[1] and 1 or 0}
