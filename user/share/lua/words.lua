-- The most frequent words of a text: lua words.lua [FILE] [COUNT]
local path = arg[1] or "/share/text/shoal.txt"
local most = tonumber(arg[2] or "10")
local file, why = io.open(path)
if not file then
    io.stderr:write("words: ", why, "\n")
    os.exit(1)
end
local counts, total = {}, 0
for line in file:lines() do
    for word in line:lower():gmatch("%a+") do
        counts[word] = (counts[word] or 0) + 1
        total = total + 1
    end
end
file:close()
local order = {}
for word in pairs(counts) do
    order[#order + 1] = word
end
table.sort(order, function(a, b) return counts[a] > counts[b] or (counts[a] == counts[b] and a < b) end)
print(("%d words, %d of them different"):format(total, #order))
for i = 1, math.min(most, #order) do
    print(("%5d  %s"):format(counts[order[i]], order[i]))
end
