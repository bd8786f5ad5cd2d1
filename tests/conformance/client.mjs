// Runs the suite's client once against a base URL and prints its results as JSON. A process of its own for each
// server, because the suite keeps its results and edits its test descriptions in module state.
//
// usage: node client.mjs BASE_URL TRANSPORT [CA_FILE [TEST,...]]        all tests, or only these
import fs from 'node:fs'

import { getResults, runTests } from 'http-cache-tests/client/runner.mjs'
import tests from 'http-cache-tests/tests/index.mjs'
import surrogate from 'http-cache-tests/tests/surrogate-control.mjs'

import { fetchOver } from './transports.mjs'

const [base, transport, caFile, only] = process.argv.slice(2)
const wanted = only ? new Set(only.split(',')) : undefined
const suites = [...tests, surrogate].map(suite =>
  ({ ...suite, tests: suite.tests.filter(test => wanted?.has(test.id) ?? true) }))

await runTests(suites, fetchOver(transport, base, caFile && fs.readFileSync(caFile)), false, base)
process.stdout.write(JSON.stringify(getResults()))
process.exit(0) // an HTTP/2 session would keep it alive
