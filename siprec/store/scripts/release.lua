-- node, instance -> released (1 if it was held)
local key = P .. 'lease:' .. ARGV[2]
if redis.pcall('HGET', key, 'instance') ~= ARGV[3] then
  return {'released', 0}
end
redis.call('DEL', key)
index('ZREM', P .. 'nodes', ARGV[2])
return {'released', 1}
