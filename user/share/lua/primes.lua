-- Counts primes, to keep a processor busy for a while: lua primes.lua [LIMIT]
local limit = tonumber(arg[1] or "200000")
local composite, found = {}, 0
for n = 2, limit do
    if not composite[n] then
        found = found + 1
        for multiple = n * n, limit, n do
            composite[multiple] = true
        end
    end
end
print(("%d primes up to %d"):format(found, limit))
