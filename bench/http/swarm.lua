-- Announces of random peers of one torrent, each with an address of its own.
-- Argument: how many peers there are. swarms.go has put them in.

local format, random, floor = string.format, math.random, math.floor
local peers

function init(args)
  peers = tonumber(args[1])
  math.randomseed(os.time())
end

function request()
  local i = random(0, peers - 1)
  return format("GET /announce?info_hash=%020d&peer_id=-qB5040-abcdefghijkl&port=6881&uploaded=0&downloaded=0&left=%d&compact=1&numwant=50 HTTP/1.1\r\nHost: tracker\r\nX-Forwarded-For: 20.%d.%d.%d\r\n\r\n",
    0, i % 3, floor(i / 65536), floor(i / 256) % 256, i % 256)
end
