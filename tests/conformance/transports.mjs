// The ways that the suite's client may take to a server: HTTP/1.1, the same over TLS, and HTTP/2 over TLS. Each is a
// fetch() as the suite wants it, with what node-fetch, which the suite's own command line uses, adds to a request.
import http2 from 'node:http2'
import https from 'node:https'
import { createRequire } from 'node:module'
import { PassThrough } from 'node:stream'

const REQUEST_TIMEOUT_MS = 10000
// Of HTTP/1.1 alone (RFC 9113 section 8.2.2).
const CONNECTION_FIELDS = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'host'])

const suite = createRequire(createRequire(import.meta.url).resolve('http-cache-tests/package.json'))
const fetch = suite('node-fetch')
const { Headers, Request, Response } = fetch

// Without a limit one answer that never comes would hold the whole run.
const overHttp1 = agent => (url, init) => fetch(url, { ...init, agent, timeout: REQUEST_TIMEOUT_MS })

function requestFields (request) {
  const fields = { accept: '*/*', 'accept-encoding': 'gzip,deflate', 'user-agent': 'node-fetch/1.0' }
  for (const [name, values] of Object.entries(request.headers.raw())) {
    const key = name.toLowerCase()
    if (CONNECTION_FIELDS.has(key)) continue
    // Whitespace around a value is no part of it; HTTP/2 has no place for it (RFC 9113 section 8.2.1).
    const trimmed = values.map(value => value.trim())
    fields[key] = trimmed.length === 1 ? trimmed[0] : trimmed
  }
  return fields
}

// As lenient with values as node-fetch is with those of HTTP/1.1.
function responseHeaders (fields) {
  const headers = new Headers()
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith(':')) continue
    for (const one of [value].flat()) {
      try {
        headers.append(name, one)
      } catch {}
    }
  }
  return headers
}

function overHttp2 (base, ca) {
  let session
  const connected = () => {
    if (!session || session.closed || session.destroyed) {
      session = http2.connect(base, { ca, ALPNProtocols: ['h2'] })
      session.on('error', () => {}) // each of its requests has the same one
    }
    return session
  }
  return (url, init) => new Promise((resolve, reject) => {
    const request = new Request(url, init)
    const { pathname, search, host } = new URL(url)
    const body = init?.body
    const stream = connected().request({
      ':method': request.method, ':scheme': 'https', ':authority': host, ':path': pathname + search, ...requestFields(request)
    }, { endStream: body == null })
    const received = new PassThrough().on('error', () => {}) // whoever reads it learns by itself
    const fail = error => {
      received.destroy(error)
      reject(error)
    }
    stream.setTimeout(REQUEST_TIMEOUT_MS, () => stream.close(http2.constants.NGHTTP2_CANCEL))
    stream.on('error', fail)
    stream.on('close', () => { if (!stream.readableEnded) fail(new Error('the stream was closed before its end')) })
    stream.on('response', fields => {
      stream.pipe(received)
      resolve(new Response(received, { status: fields[':status'], headers: responseHeaders(fields), url }))
    })
    if (body != null) stream.end(body)
  })
}

export const TRANSPORTS = ['http1', 'tls', 'http2']

export function fetchOver (transport, base, ca) {
  switch (transport) {
    case 'http1': return overHttp1()
    case 'tls': return overHttp1(new https.Agent({ ca }))
    case 'http2': return overHttp2(base, ca)
  }
  throw new Error(`no such transport: ${transport}`)
}
