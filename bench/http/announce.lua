-- 20,000 different announces of a libtorrent client, sent in turn.
-- Arguments: close or keep; even or hot.
-- even: 200 torrents, so that each has the peers for a full reply.
-- hot: 43 % of the announces are for one torrent, the rest are spread over
-- 10,000 torrents with a gamma distribution of shape 0.2.

local requests, next_request = {}, 0

local function escape(bytes)
  return (bytes:gsub(".", function(c) return string.format("%%%02x", c:byte()) end))
end

-- A gamma variate of shape below 1: Johnk's method, times an exponential.
local function gamma(shape)
  while true do
    local x = math.random() ^ (1 / shape)
    local y = math.random() ^ (1 / (1 - shape))
    if x + y <= 1 and x + y > 0 then
      return -math.log(1 - math.random()) * x / (x + y)
    end
  end
end

local function torrent(i, shape)
  if shape == "even" then return i % 200 end
  if math.random() < 0.43 then return 0 end
  return 1 + math.floor(math.min(gamma(0.2) / 4, 0.9999) * 10000)
end

function init(args)
  local connection, shape = args[1], args[2]
  math.randomseed(1)
  local hashes = {}
  local function hash(t)
    if not hashes[t] then
      local b = {}
      math.randomseed(t + 1)
      for i = 1, 20 do b[i] = string.char(math.random(0, 255)) end
      hashes[t] = escape(table.concat(b))
    end
    return hashes[t]
  end
  local chosen = {}
  for i = 0, 19999 do chosen[i] = torrent(i, shape) end
  for i = 0, 19999 do
    local path = string.format("/announce?info_hash=%s&peer_id=-LT20A0-%012d&port=%d&uploaded=0&downloaded=0&left=%d&corrupt=0&key=%08X&numwant=50&compact=1&no_peer_id=1&supportcrypto=1&redundant=0",
      hash(chosen[i]), i, 10000 + i, i % 4 == 0 and 0 or 100000 + i, i * 7919)
    local headers = { ["User-Agent"] = "qBittorrent/5.0.4", ["Accept-Encoding"] = "gzip" }
    -- opentracker keeps a connection only when it is asked to.
    headers["Connection"] = connection == "close" and "close" or "keep-alive"
    requests[i + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end
