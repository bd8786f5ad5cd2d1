-- Prints what tests/bench/run.py reads: counts instead of wrk's rounded figures.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("requests=%d micros=%d bytes=%d errors=%d\n", summary.requests, summary.duration,
    summary.bytes, e.connect + e.read + e.write + e.status + e.timeout))
end
