-- A replica, a full memory or a full disk still answer, but take no writes.
redis.call('SET', P .. 'health', text(now), 'PX', 60000)
return 1
