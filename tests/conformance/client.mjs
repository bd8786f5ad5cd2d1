// Runs the suite's client once against a base URL and prints its results as JSON. A process of its own for each
// server, because the suite keeps its results and edits its test descriptions in module state.
//
// usage: node client.mjs BASE_URL
import { createRequire } from 'node:module'

import { getResults, runTests } from 'http-cache-tests/client/runner.mjs'
import tests from 'http-cache-tests/tests/index.mjs'
import surrogate from 'http-cache-tests/tests/surrogate-control.mjs'

const REQUEST_TIMEOUT_MS = 10000

// The fetch that the suite's own command line uses.
const suite = createRequire(createRequire(import.meta.url).resolve('http-cache-tests/package.json'))
const fetch = suite('node-fetch')
// Without a limit one answer that never comes would hold the whole run.
const boundedFetch = (url, init) => fetch(url, { ...init, timeout: REQUEST_TIMEOUT_MS })

await runTests([...tests, surrogate], boundedFetch, false, process.argv[2])
process.stdout.write(JSON.stringify(getResults()))
