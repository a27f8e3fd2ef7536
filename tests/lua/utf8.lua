-- utf8.
local text = "añ→😀"
assert(utf8.len(text) == 4 and #text == 10 and utf8.char(97, 241, 8594, 128512) == text)
local points = {}
for _, code in utf8.codes(text) do points[#points + 1] = code end
assert(points[2] == 241 and points[4] == 128512 and utf8.codepoint(text, 2) == 241)
assert(utf8.offset(text, 3) == 4 and utf8.len("\xff") == nil and select(2, utf8.len("ab\xff")) == 3)
local count = 0
for _ in text:gmatch(utf8.charpattern) do count = count + 1 end
assert(count == 4)
print("ok utf8")
