-- -> sessions, expired ones not cleaned up yet, nodes
local function count(key, from, to)
  return index('ZCOUNT', key, from, to)
end
local alive = '(' .. text(now)
return {
  count(EXPIRY, alive, '+inf'), count(EXPIRY, '-inf', text(now)), count(P .. 'nodes', alive, '+inf'),
}
