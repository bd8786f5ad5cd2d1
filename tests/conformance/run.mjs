// Runs the public HTTP cache test-suite (http-cache-tests) through the built binary, over HTTP/1.1, TLS and HTTP/2, and
// through the installed peers, prints the counts side by side, and holds seawall's failures against
// docs/conformance.md: a required or optimal test that fails without being named there fails the run, and so does a
// test whose verdict depends on the transport.
//
// usage: node run.mjs --binary PATH [--config FILE] [--only SERVER] [--results FOLDER]
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { determineTestResult } from 'http-cache-tests/lib/display.mjs'
import handleConfig from 'http-cache-tests/server/handle-config.mjs'
import handleState from 'http-cache-tests/server/handle-state.mjs'
import handleTest from 'http-cache-tests/server/handle-test.mjs'
import baseTests from 'http-cache-tests/tests/index.mjs'
import surrogate from 'http-cache-tests/tests/surrogate-control.mjs'

import { makeCertificate, peers, seawall } from './servers.mjs'
import { TRANSPORTS } from './transports.mjs'

const RUN_TIMEOUT_MS = 300000
const START_TIMEOUT_MS = 10000
const STOP_TIMEOUT_MS = 5000
const KINDS = ['required', 'optimal', 'check']

const here = path.dirname(fileURLToPath(import.meta.url))
const client = path.join(here, 'client.mjs')
const document = path.join(here, '../../docs/conformance.md')

const suites = [...baseTests, surrogate]
const tests = suites.flatMap(suite => suite.tests).filter(test => test.browser_only !== true)
const kindOf = test => test.kind ?? 'required'

const children = new Set()

function start (command, options) {
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  child.output = ''
  child.stderr.on('data', text => { child.output = (child.output + text).slice(-4000) })
  child.ended = new Promise(resolve => {
    child.on('error', error => resolve(`cannot start ${command[0]}: ${error.message}`))
    child.on('close', (code, signal) => resolve(signal ?? code))
  })
  children.add(child)
  child.ended.then(() => children.delete(child))
  return child
}

async function stop (child) {
  child.kill('SIGTERM')
  await Promise.race([child.ended, delay(STOP_TIMEOUT_MS, undefined, { ref: false })])
  child.kill('SIGKILL')
  await child.ended
}

// The suite's own origin server, less its pages, on a port of the system's choice and on loopback only.
async function startOrigin () {
  console.log = () => {} // the suite's handlers report every refused request
  const handlers = { config: handleConfig, state: handleState, test: handleTest }
  const server = http.createServer((request, response) => {
    const segments = new URL(request.url, 'http://origin/').pathname.split('/').slice(1)
    const handler = handlers[segments[0]]
    if (handler) return handler(segments.slice(1), request, response)
    response.writeHead(404)
    response.end()
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return server
}

function freePort () {
  return new Promise(resolve => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

const canConnect = port => new Promise(resolve => {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('connect', () => { socket.destroy(); resolve(true) })
  socket.on('error', () => resolve(false))
})

async function awaitListening (child, port) {
  const deadline = Date.now() + START_TIMEOUT_MS
  let ended = false
  child.ended.then(() => { ended = true })
  while (!await canConnect(port)) {
    if (ended || Date.now() > deadline) throw new Error(`it does not listen: ${child.output.trim()}`)
    await delay(50)
  }
}

// The results of all tests, or of those with the given ids.
async function runClient (server, port, certificate, ids) {
  const isSecure = certificate !== undefined
  const child = start([process.execPath, '--no-warnings', client, `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}`,
    server.transport ?? 'http1', certificate ?? '', (ids ?? []).join(',')])
  const limit = setTimeout(() => child.kill('SIGKILL'), RUN_TIMEOUT_MS)
  let output = ''
  child.stdout.on('data', text => { output += text })
  const status = await child.ended
  clearTimeout(limit)
  if (status !== 0) throw new Error(`the suite's client ended with ${status}: ${child.output.trim()}`)
  return JSON.parse(output)
}

async function measure (server, originPort, ids) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'conformance-'))
  const port = await freePort()
  const certificate = TRANSPORTS.slice(1).includes(server.transport) ? makeCertificate(folder) : undefined
  const child = start(server.command({ port, originPort, folder, certificate }), { cwd: folder })
  child.stdout.resume()
  try {
    await awaitListening(child, port)
    return await runClient(server, port, certificate, ids)
  } finally {
    await stop(child)
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

// The verdict of each test as the suite's own pages give it: a test whose dependency failed is no pass.
function judge (results) {
  const verdicts = new Map()
  const names = { '✅': 'pass', Y: 'pass', '⛔️': 'fail', '⚠️': 'fail', N: 'no', '🔹': 'setup', '⁉️': 'harness', '⚪️': 'dependency', '↻': 'retry', '-': 'untested' }
  for (const test of tests) {
    const verdict = names[determineTestResult(suites, test.id, results)[2]]
    const detail = Array.isArray(results[test.id]) ? results[test.id][1] : ''
    verdicts.set(test.id, { verdict, detail })
  }
  return verdicts
}

function count (verdicts) {
  return Object.fromEntries(KINDS.map(kind => {
    const ofKind = tests.filter(test => kindOf(test) === kind)
    const passed = ofKind.filter(test => verdicts.get(test.id).verdict === 'pass').length
    return [kind, { passed, total: ofKind.length }]
  }))
}

// The ids in the first column of the document's table.
function namedExceptions () {
  const rows = fs.readFileSync(document, 'utf8').matchAll(/^\|\s*`([\w=-]+)`\s*\|/gm)
  return new Set(Array.from(rows, row => row[1]))
}

// Prints what seawall does not pass, and returns whether docs/conformance.md accounts for all of it.
function compare (verdicts, print) {
  const named = namedExceptions()
  const failing = tests.filter(test => kindOf(test) !== 'check' && verdicts.get(test.id).verdict !== 'pass')
  for (const test of failing) {
    const { verdict, detail } = verdicts.get(test.id)
    const note = named.has(test.id) ? 'named in docs/conformance.md' : 'NOT NAMED in docs/conformance.md'
    print(`  ${kindOf(test).padEnd(8)} ${test.id}: ${verdict}, ${note}${detail ? `\n             ${detail}` : ''}`)
  }
  for (const id of named) {
    if (!failing.some(test => test.id === id)) print(`  docs/conformance.md names ${id}, which passes or does not exist`)
  }
  return failing.every(test => named.has(test.id))
}

// A test together with all that it depends on.
function withDependencies (ids) {
  const all = new Set()
  const add = id => {
    if (all.has(id)) return
    all.add(id)
    for (const other of tests.find(test => test.id === id)?.depends_on ?? []) add(other)
  }
  ids.forEach(add)
  return [...all]
}

// The tests whose verdict over this transport is another than over HTTP/1.1. The suite is timed by real seconds: what
// differs is run once more on both before it counts.
async function differences (server, verdicts, plain, plainVerdicts, originPort) {
  const differing = (a, b) => tests.map(test => test.id).filter(id => a.get(id).verdict !== b.get(id).verdict)
  const first = differing(verdicts, plainVerdicts)
  if (first.length === 0) return []
  const ids = withDependencies(first)
  const [again, plainAgain] = [judge(await measure(server, originPort, ids)), judge(await measure(plain, originPort, ids))]
  return differing(again, plainAgain).filter(id => first.includes(id))
}

const isInstalled = program => program.includes('/')
  ? fs.existsSync(program)
  : [...(process.env.PATH ?? '').split(':'), '/usr/sbin'].some(folder => fs.existsSync(path.join(folder, program)))

async function main () {
  const { values } = parseArgs({
    options: {
      binary: { type: 'string', default: 'build/seawall' },
      config: { type: 'string' },
      only: { type: 'string', default: '' },
      results: { type: 'string', default: 'build/conformance' }
    }
  })
  const print = console.log.bind(console)
  process.env.PATH = `${process.env.PATH}:/usr/sbin`
  process.on('exit', () => children.forEach(child => child.kill('SIGKILL')))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

  const origin = await startOrigin()
  fs.mkdirSync(values.results, { recursive: true })
  const ours = TRANSPORTS.map(transport =>
    seawall(path.resolve(values.binary), values.config && path.resolve(values.config), transport))
  const servers = [...ours, ...peers].filter(server => server.name.includes(values.only))
  let failed = false
  let plainVerdicts
  print('server            required     optimal       check')
  for (const server of servers) {
    if (!isInstalled(server.program)) {
      print(`${server.name.padEnd(14)} not installed`)
      failed ||= ours.includes(server)
      continue
    }
    let verdicts
    try {
      const results = await measure(server, origin.address().port)
      fs.writeFileSync(path.join(values.results, `${server.name.replace('/', '-')}.json`), JSON.stringify(results, null, 2))
      verdicts = judge(results)
    } catch (error) {
      print(`${server.name.padEnd(14)} ${error.message}`)
      failed ||= ours.includes(server)
      continue
    }
    const counts = count(verdicts)
    print(server.name.padEnd(14) + KINDS.map(kind => `${counts[kind].passed}/${counts[kind].total}`.padStart(12)).join(''))
    if (!ours.includes(server)) continue
    if (server === ours[0]) {
      plainVerdicts = verdicts
      if (!compare(verdicts, print)) failed = true
      continue
    }
    if (!plainVerdicts) continue // --only
    for (const id of await differences(server, verdicts, ours[0], plainVerdicts, origin.address().port)) {
      print(`  ${id}: ${verdicts.get(id).verdict}, but over HTTP/1.1 ${plainVerdicts.get(id).verdict}`)
      failed = true
    }
  }
  print(`results of each test are in ${values.results}/`)
  process.exit(failed ? 1 : 0)
}

await main()
