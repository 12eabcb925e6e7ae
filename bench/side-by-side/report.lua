-- wrk: one line that a program can read, with the percentiles that wrk itself does not print.
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args)
  if args[1] then wrk.headers["Authorization"] = "Bearer " .. args[1] end
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9),
    e.connect + e.read + e.write + e.timeout + e.status))
end
