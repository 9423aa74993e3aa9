-- owner, node, limit, instance, schema, where to go on ('' for the beginning),
-- how many were stepped over so far
--   -> claimed left skipped last records | held instance blob expires
-- A record is id, blob, version, epoch, remaining.  Last is where to go on if
-- nothing was found so far, and empty if there is nothing more.
local owner, node, limit, instance = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local schema, last, skipped = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
-- Entries beyond the limit that are looked at, as a server does nothing else
-- meanwhile: all of a node's records may be of a newer schema.
local STEPS = 500

local lease = P .. 'lease:' .. owner
local held = redis.pcall('HMGET', lease, 'instance', 'blob')
if mistyped(held) then
  held = {}
end
if held[1] and (instance == '' or held[1] ~= instance) then
  return {'held', held[1], held[2] or '', now + redis.call('PTTL', lease)}
end

local source, alive = NODE .. owner, '(' .. text(now)
local place = last ~= '' and index('ZREVRANK', source, last)
if not place then
  last, skipped = '', 0
end
local seen = place and place + 1 or 0
local furthest = seen + limit + STEPS

-- Nothing is written before all is chosen, so that places stay what they are.
local chosen, leaving = {}, {}
local size, finished = limit, false
repeat
  local page = index('ZREVRANGEBYSCORE', source, '+inf', alive, 'LIMIT', seen, size)
  for _, id in ipairs(page) do
    if #chosen == limit then
      break
    end
    seen = seen + 1
    local record = read(id)
    local blob = record and record.schema and record.schema <= schema
      and redis.call('HGET', record.key, 'blob')
    if record == nil or record and record.owner ~= owner then
      leaving[#leaving + 1] = id -- the entry was wrong
    elseif blob and #blob == record.size then
      record.id, record.blob = id, blob
      chosen[#chosen + 1] = record
    else
      last, skipped = id, skipped + 1
    end
  end
  finished, size = #page < size and #chosen < limit, 100
until finished or #chosen == limit or seen >= furthest

local records, entries = {}, {}
for position, record in ipairs(chosen) do
  local version, epoch = record.version + 1, record.epoch + 1
  redis.call('HSET', record.key, 'version', text(version), 'epoch', text(epoch), 'owner', node)
  leaving[#leaving + 1] = record.id
  entries[#entries + 1] = text(record.expires)
  entries[#entries + 1] = record.id
  records[position] = {record.id, record.blob, version, epoch, record.expires - now}
end
if #entries > 0 then
  index('ZADD', NODE .. node, unpack(entries))
  index('SADD', OWNERS, node)
end
if #leaving > 0 then
  index('ZREM', source, unpack(leaving))
end
if held[1] then
  redis.call('DEL', lease)
  index('ZREM', P .. 'nodes', owner)
end
local left = index('ZCOUNT', source, alive, '+inf') - skipped
return {'claimed', math.max(0, left), skipped, finished and '' or last, records}
