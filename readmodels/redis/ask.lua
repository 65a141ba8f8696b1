-- Asks several things of one slot at one moment, and proves that the answer is to this question.
--
-- KEYS  what is read
-- ARGV  the number of the question; then for each command: its name, number of its key (0: it has none), number of its
--       further arguments, these
--
-- The answer is the number of the question, and then the answer to each command, which may be an error.

local answer, i = {ARGV[1]}, 2
while ARGV[i] do
  local key, first, last = KEYS[tonumber(ARGV[i + 1])], i + 3, i + 2 + tonumber(ARGV[i + 2])
  if key then
    answer[#answer + 1] = redis.pcall(ARGV[i], key, unpack(ARGV, first, last))
  else
    answer[#answer + 1] = redis.pcall(ARGV[i], unpack(ARGV, first, last))
  end
  i = last + 1
end
return answer
