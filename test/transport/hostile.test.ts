import { AssertionError, deepEqual, equal, ok } from 'node:assert/strict'
import dns from 'node:dns'
import { suite, test, type TestContext } from 'node:test'
import { inspect } from 'node:util'
import type { Dispatcher } from 'undici'
import {
  ConnectionError, createClient, DeadlineExceededError, DrainingError, OptionError, ResponseError, StatusError, UpstreamError,
  type Client, type DispatcherLike, type Sent,
} from '../../src/index.ts'
import { closing, eventually, inTime } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import * as hostile from '../support/hostile.ts'

type Kind = abstract new (...args: never[]) => UpstreamError
type Outcome = readonly [kind: Kind, code: string, sent: readonly Sent[], where: RegExp]

const hangs = (phase: string): Outcome => [DeadlineExceededError, 'ERR_DEADLINE_EXCEEDED', ['maybe'], new RegExp(`^${phase}$`)]
const lost = (where: RegExp, ...sent: Sent[]): Outcome => [ConnectionError, 'ERR_CONNECTION', ['maybe', ...sent], where]
const bad = (where: RegExp): Outcome => [ResponseError, 'ERR_BAD_RESPONSE', ['maybe'], where]
const refused = (status: number): Outcome => [StatusError, 'ERR_STATUS', ['yes'], new RegExp(`^${status}$`)]
const cut = bad(/^truncated: connection lost during the body/)
const malformed = bad(/^malformed/)
const large = bad(/^body longer than 10485760 bytes/)
const damaged = bad(/^damaged or truncated (gzip|deflate|br|zstd) body$/)

/** Every behaviour there is: the error it ends in, or the body where it is no harm. */
const table: [keyof typeof hostile, hostile.Fault, Outcome | string][] = [
  ['acceptAndSayNothing', hostile.acceptAndSayNothing(), hangs('headers')],
  ['neverAnswer', hostile.neverAnswer(), hangs('headers')],
  ['resetAtAccept', hostile.resetAtAccept(), lost(/^(ECONNRESET|UND_ERR_SOCKET|EPIPE)$/, 'never')],
  ['closeAtAccept', hostile.closeAtAccept(), lost(/^(ECONNRESET|UND_ERR_SOCKET|EPIPE)$/, 'never')],
  ['resetAfter', hostile.resetAfter(0), lost(/^ECONNRESET$/)],
  ['resetAfter', hostile.resetAfter(1), lost(/^ECONNRESET$/)],
  ['resetMidHeaders', hostile.resetMidHeaders(), lost(/^ECONNRESET$/)],
  ['resetMidBody', hostile.resetMidBody(), cut],
  ['keepAliveReset', hostile.keepAliveReset(), 'x'.repeat(1_000)],
  ['resetWhenIdle', hostile.resetWhenIdle(), 'x'.repeat(1_000)],
  ['slowDripHeaders', hostile.slowDripHeaders(), hangs('headers')],
  ['slowDripBody', hostile.slowDripBody(), hangs('body')],
  ['headerBomb', hostile.headerBomb(), bad(/^headers too large$/)],
  ['interim1xxFlood', hostile.interim1xxFlood(), bad(/^too many interim responses$/)],
  ['interim1xxDrip', hostile.interim1xxDrip(2), bad(/^too many interim responses$/)],
  ['interim1xxDrip', hostile.interim1xxDrip(50), hangs('headers')],
  ['endlessBody', hostile.endlessBody(), large],
  ['raw', hostile.raw('\0\x01\x02\xff raw bytes'), malformed],
  ['raw', hostile.raw('HTTP/1.1 200 OK\r\nx: raw\0bytes\r\n\r\n'), malformed],
  ['raw', hostile.raw('HTTP/1.1 9999 raw\r\n\r\n'), malformed],
  ['raw', hostile.raw('HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'), malformed],
  ['truncatedChunked', hostile.truncatedChunked(), cut],
  ['unendedChunked', hostile.unendedChunked(), cut],
  ['badChunkSize', hostile.badChunkSize(), malformed],
  ['shortContentLength', hostile.shortContentLength(), cut],
  ['shortContentLength', hostile.shortContentLength('reset'), cut],
  ['shortContentLength', hostile.shortContentLength('keep'), hangs('body')],
  ['closeDelimited', hostile.closeDelimited(), 'all of it'],
  ['closeDelimited', hostile.closeDelimited('half', 'reset'), cut],
  ['hugeContentLength', hostile.hugeContentLength(), large],
  ['duplicateContentLength', hostile.duplicateContentLength(), bad(/^truncated: body length does not match content-length$/)],
  ['lengthAndChunked', hostile.lengthAndChunked(), bad(/^truncated: body length does not match content-length$/)],
  ['extraReply', hostile.extraReply(), 'asked'],
  ['garbageStatusLine', hostile.garbageStatusLine(), malformed],
  ['statusZero', hostile.statusZero(), malformed],
  ['unaskedUpgrade', hostile.unaskedUpgrade(), lost(/^UND_ERR_SOCKET$/)],
  ['encoded', hostile.encoded('zstd', 'fine'), 'fine'],
  ['encoded', hostile.encoded('deflate-raw', 'fine, too'), 'fine, too'],
  ['gzipBomb', hostile.gzipBomb(), large],
  ['gzipBomb', hostile.gzipBomb(200, 'deflate'), large],
  ['gzipBomb', hostile.gzipBomb(200, 'br'), large],
  ['gzipBomb', hostile.gzipBomb(200, 'zstd'), large],
  ['truncatedGzip', hostile.truncatedGzip(), damaged],
  ['lyingContentEncoding', hostile.lyingContentEncoding(), damaged],
  ['lyingContentEncoding', hostile.lyingContentEncoding('br'), damaged],
  ['lyingContentEncoding', hostile.lyingContentEncoding('zstd'), damaged],
  ['lyingContentEncoding', hostile.lyingContentEncoding('rot13'), 'plainly not compressed'],
  ['healthy', hostile.healthy('fine'), 'fine'],
  ['statusSequence', hostile.statusSequence([500]), refused(500)],
  ['retryAfter', hostile.retryAfter('1e9', 429), refused(429)],
  ['faultsInTurn', hostile.faultsInTurn(hostile.garbageStatusLine()), malformed],
]

/** What must not be told: what the caller sent, and what the upstream did. */
const SECRET = 'hunter2'
const RAW = /SSH-2\.0|raw bytes|b{20}|z{5}|x{20}|plainly|0123456789|style\.css|later|cookie/
const secrets = {
  headers: { authorization: SECRET, cookie: SECRET }, query: { token: SECRET }, body: SECRET, idempotencyKey: SECRET,
}

const tellsNothing = (error: UpstreamError, client: Client): void => {
  const told = [
    inspect(error, { depth: Infinity }), JSON.stringify(error), error.message, String(error), error.stack,
    inspect(client.snapshot(), { depth: Infinity }),
  ].join('\n')
  ok(!told.includes(SECRET) && !RAW.test(told), told)
}

const MIB = 1024 * 1024

/** Runs something while watching how much memory the process takes, in MiB beyond what it had. */
const memoryOf = async (run: () => Promise<void>): Promise<number> => {
  const before = process.memoryUsage.rss()
  let most = before
  const timer = setInterval(() => { most = Math.max(most, process.memoryUsage.rss()) }, 5)
  await run().finally(() => clearInterval(timer))
  return (Math.max(most, process.memoryUsage.rss()) - before) / MIB
}

const attack = async (t: TestContext, fault: hostile.Fault, outcome: Outcome | string): Promise<void> => {
  const server = await closing(t, hostile.startHostile(fault))
  // Short where it is what ends the call; else long enough that a busy machine does not end it first.
  const ends = typeof outcome !== 'string' && outcome[0] === DeadlineExceededError
  const client = await closing(t, createClient({ deadline: ends ? 250 : 2_000, retry: false }))
  // Of a time-out in which this process itself stood still nobody learns anything.
  let evidence = 1
  const call = inTime(client.put(`${server.url}/path`, secrets), { within: 4_000 })
  if (typeof outcome === 'string') {
    equal(await call.then(reply => reply.text()), outcome)
  } else {
    const [kind, code, sent, where] = outcome
    const error = await failure(call, kind)
    const seen = 'reason' in error ? error.reason : 'phase' in error ? error.phase : 'status' in error ? error.status : ''
    ok(where.test(String(seen)), String(seen))
    deepEqual([error.code, sent.includes(error.sent), error.attempts, error.path], [code, true, 1, '/path'])
    tellsNothing(error, client)
    if (error instanceof DeadlineExceededError && error.verdict === 'none') evidence = 0
    // What breaks the framing, or does not end, costs the connection; what is only nonsense inside does not.
    const framed = error instanceof StatusError || /gzip|encod/i.test(fault.name)
    await eventually(() => server.connections === (framed ? 1 : 0), { what: 'the connection is kept or closed' })
  }
  const { active, limit, endpoints } = client.snapshot()[0]!
  deepEqual([active, limit.inFlight, endpoints[0]?.inFlight, endpoints[0]?.calls], [0, 0, 0, evidence])
  await eventually(async () => {
    // The harm done to a connection that is kept shows at its next request.
    if (typeof outcome === 'string' && fault.fired === 0) equal((await client.put(server.url, secrets)).text(), outcome)
    return fault.fired > 0
  }, { what: 'the fault fired' })
}

suite('each hostile behaviour ends in its named error, in bounded time and memory', () => {
  for (const [, fault, outcome] of table) {
    const title = typeof outcome === 'string' ? 'is no harm' : `${outcome[0].name}, ${outcome[3].source}`
    test(`${fault.name}: ${title}`, async t => {
      const memory = await memoryOf(() => attack(t, fault, outcome))
      ok(memory < 100, `${memory} MiB`)
    })
  }

  test('a closed port: ConnectionError, never sent', async t => {
    const { url } = await closing(t, hostile.closedPort())
    const client = await closing(t, createClient({ retry: false }))
    const error = await failure(client.post(url, secrets), ConnectionError)
    deepEqual([error.code, error.sent, error.reason, error.blame], ['ERR_CONNECTION', 'never', 'ECONNREFUSED', 'upstream'])
    tellsNothing(error, client)
  })

  test('none has been left out', () => {
    const helpers = ['closedPort', 'drip', 'fault', 'faultsInTurn', 'head', 'pump', 'reply', 'reset', 'startHostile']
    const tried = new Set([...table.map(([name]) => name), ...helpers])
    deepEqual(Object.keys(hostile).filter(name => !tried.has(name as keyof typeof hostile)), [])
  })
})

type Handler = Pick<Required<Dispatcher.DispatchHandler>, 'onRequestStart' | 'onResponseStart' | 'onResponseError'>

/** A dispatcher that throws, at once or when the request is on its way or half answered. */
const throwing = (thrown: unknown, when: 'at once' | 'queued' | 'sent' | 'answered'): DispatcherLike => ({
  dispatch(_options, given) {
    if (when === 'at once') throw thrown
    const handler = given as Handler
    const controller = { abort: () => undefined, pause: () => undefined, resume: () => undefined } as never
    setImmediate(() => {
      if (when !== 'queued') handler.onRequestStart(controller, {})
      if (when === 'answered') handler.onResponseStart(controller, 200, {}, 'OK')
      handler.onResponseError(controller, thrown as Error)
    })
    return true
  },
  close: async () => undefined,
  destroy: async () => undefined,
})

const coded = (code: string, extra: object = {}): Error => Object.assign(new Error('m'), { code, ...extra })
const parser = Object.assign(new Error('Expected HTTP/'), { name: 'HTTPParserError', data: `cookie: ${SECRET}` })

suite('whatever undici or Node throws leaves as one of our errors', () => {
  const thrown: [string, unknown, typeof ConnectionError | typeof ResponseError | typeof DrainingError][] = [
    ['a bare AssertionError', new AssertionError({ message: `${SECRET} == 0` }), ResponseError],
    ['a bare TypeError', new TypeError('x is not iterable'), ConnectionError],
    ['a parser error with raw bytes', parser, ResponseError],
    ['an error with the response in it', coded('UND_ERR_RESPONSE', { body: SECRET, headers: [SECRET] }), ConnectionError],
    ['an error of a frozen kind', Object.freeze(new RangeError('r')), ConnectionError],
    ['a string', SECRET, ConnectionError], ['undefined', undefined, ConnectionError], ['null', null, ConnectionError],
    ['an object', { code: SECRET }, ConnectionError],
    ['a numeric code', Object.assign(new Error('m'), { code: 7 }), ConnectionError],
    ...['EMFILE', 'EADDRNOTAVAIL', 'ENOMEM', 'ENOTFOUND', 'EAI_AGAIN', 'EPIPE', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_NEW']
      .map((code): [string, Error, typeof ConnectionError] => [code, coded(code), ConnectionError]),
  ]
  for (const [name, error, kind] of thrown) {
    test(name, async t => {
      for (const when of ['at once', 'queued', 'sent', 'answered'] as const) {
        const client = await closing(t, createClient({ retry: false, pool: { factory: () => throwing(error, when) } }))
        const ours = await failure(client.get('http://127.0.0.1:9/'), UpstreamError)
        const isOurs = ours instanceof ConnectionError && ours.blame === 'process'
        equal(ours.constructor, when === 'answered' && !isOurs ? ResponseError : kind, when)
        if (kind === ConnectionError) equal(ours.sent, when === 'sent' || when === 'answered' ? 'maybe' : 'never')
        tellsNothing(ours, client)
        deepEqual([client.snapshot()[0]?.active, client.snapshot()[0]?.limit.inFlight], [0, 0])
      }
    })
  }

  test('a closed dispatcher is draining, one that cannot send it is an option, and a factory may fail by itself', async t => {
    const own = new Error('no such proxy')
    const cases: [unknown, abstract new (...args: never[]) => Error][] = [
      [coded('UND_ERR_CLOSED'), DrainingError], [coded('UND_ERR_DESTROYED'), DrainingError],
      [coded('UND_ERR_INVALID_ARG'), OptionError], [coded('UND_ERR_NOT_SUPPORTED'), OptionError],
    ]
    for (const [error, kind] of cases) {
      const client = await closing(t, createClient({ retry: false, pool: { factory: () => throwing(error, 'at once') } }))
      await failure(client.get('http://127.0.0.1:9/'), kind)
    }
    const client = await closing(t, createClient({ pool: { factory: () => { throw own } } }))
    equal(await failure(client.get('http://127.0.0.1:9/'), Error), own)
    equal(client.snapshot()[0]?.active, 0)
  })

  test('an empty answer of DNS, at which Node throws where nobody can catch it', async t => {
    type Done = (error: Error | null, addresses: unknown, family?: number) => void
    const answers = [[], undefined, '', [{ address: '', family: 4 }]]
    const looked = t.mock.method(dns, 'lookup', (_host: string, _options: object, done: Done) => {
      setImmediate(done, null, answers[looked.mock.callCount()])
    })
    const client = await closing(t, createClient({ retry: false, deadline: 1_000 }))
    for (const _ of answers) {
      const { sent, reason } = await failure(client.get('http://empty.test/'), ConnectionError)
      ok(sent === 'never' && /^(ENOTFOUND|ERR_INVALID_IP_ADDRESS)$/.test(reason), reason)
    }
    equal(looked.mock.callCount(), answers.length)
  })
})
