-- id -> found (1 or 0)
return {'found', read(ARGV[2]) == nil and 0 or 1}
