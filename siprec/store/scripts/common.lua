-- What every script begins with.  ARGV[1] is the prefix of all keys.
--
-- Keys:  session:<id>   hash: version, epoch, owner, expires, blob, size, schema, links
--        expiry         sorted set: every session, by the time it expires
--        node:<node>    sorted set: the sessions of a node, likewise
--        call:<id>, communication:<id>, correlation:<key>
--                       sorted sets: the links of sessions, likewise
--        owners         set: every node that may have a node:<node>
--        deleted:<id>   the deletion of a session is remembered
--        lease:<node>   hash: instance, blob;  nodes: sorted set, by expiry
--
-- Times are the server's, in milliseconds.  Indexes are sorted by expiry, so
-- that an entry whose record is gone goes as well, whatever happened to it.

-- Redis 6 lets a script that asks for the time write only if its effects are
-- what replicas get; later ones always do it so.
redis.replicate_commands()

local P = ARGV[1]
local NODE, EXPIRY, OWNERS = P .. 'node:', P .. 'expiry', P .. 'owners'
-- A record stays this long after it expired, for cleanup to see its links.
local GRACE = 3600000

local now
do
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Lua would write a large number as 1.79e+12.
local function text(number)
  return string.format('%.0f', number)
end

-- @return: whether a key is of another type than the command is for.  Any other
--   refusal (memory, rights) ends the script, before it wrote anything.
local function mistyped(reply)
  local why = type(reply) == 'table' and reply.err
  if why and not string.find(why, 'WRONGTYPE', 1, true) then
    error(why)
  end
  return why
end

local function whole(value)
  local number = tonumber(value)
  return number and number >= 0 and number < 2 ^ 53 and number or nil
end

local function unpackLinks(packed)
  local good, links = pcall(cmsgpack.unpack, packed)
  if not good or type(links) ~= 'table' then
    return nil
  end
  for _, name in ipairs(links) do
    if type(name) ~= 'string' then
      return nil
    end
  end
  return links
end

-- @return: the record without its blob; nil if there is none, or it expired
--   (then what is left of it is the second); false and the reason if what is
--   there is not a record.
local function read(id)
  local key = P .. 'session:' .. id
  local found = redis.pcall(
    'HMGET', key, 'version', 'epoch', 'owner', 'expires', 'links', 'size', 'schema'
  )
  if mistyped(found) then
    return false, 'it is not a hash'
  end
  local version, epoch, expires = whole(found[1]), whole(found[2]), whole(found[4])
  local links = unpackLinks(found[5] or '')
  if not (version and epoch and expires and found[3] and links) then
    if redis.call('EXISTS', key) == 0 then
      return nil
    end
    return false, 'it is not a record of this program'
  end
  local record = {
    key = key, version = version, epoch = epoch, owner = found[3], expires = expires,
    links = links, size = tonumber(found[6]), schema = tonumber(found[7]),
  }
  if expires <= now then
    return nil, record
  end
  return record
end

-- Do something to an index.  What another program put in its place is moved
-- aside: an index can be made again, but a record without one is not found.
local function index(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if mistyped(reply) then
    redis.call('RENAME', key, key .. ':damaged')
    reply = redis.call(command, key, ...)
  end
  return reply
end

-- Remove the index entries of a record, but for those that the one in its place
-- has too, if there is one.
local function unlink(id, record, successor)
  local kept = {}
  for _, link in ipairs(successor and successor.links or {}) do
    kept[link] = true
  end
  for _, link in ipairs(record.links) do
    if not kept[link] then
      index('ZREM', P .. link, id)
    end
  end
  if not successor or successor.owner ~= record.owner then
    index('ZREM', NODE .. record.owner, id)
  end
end

local function link(id, record)
  for _, name in ipairs(record.links) do
    local key, needed = P .. name, record.expires - now + GRACE
    index('ZADD', key, text(record.expires), id)
    if redis.call('PTTL', key) < needed then
      redis.call('PEXPIRE', key, text(needed))
    end
  end
  index('ZADD', NODE .. record.owner, text(record.expires), id)
  index('ZADD', EXPIRY, text(record.expires), id)
  index('SADD', OWNERS, record.owner)
end

-- Write a record in place of the one that read() gave, with blob and packed
-- links as they came.  The first command of a script that changes something is
-- always one that a server refuses whose memory is full: all or nothing.
local function write(id, old, record, blob, links, schema)
  local key = P .. 'session:' .. id
  record.links = cmsgpack.unpack(links)
  redis.call(
    'HSET', key, 'version', text(record.version), 'epoch', text(record.epoch),
    'owner', record.owner, 'expires', text(record.expires), 'blob', blob,
    'size', #blob, 'schema', schema, 'links', links
  )
  redis.call('PEXPIREAT', key, text(record.expires + GRACE))
  if old then
    unlink(id, old, record)
  end
  link(id, record)
end

local function remove(id, record)
  redis.call('DEL', P .. 'session:' .. id)
  index('ZREM', EXPIRY, id)
  if record then
    unlink(id, record)
  end
end
