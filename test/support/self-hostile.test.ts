import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { suite, test } from 'node:test'
import * as zlib from 'node:zlib'
import { Agent, request } from 'undici'
import { closing, eventually, leaks } from './check.ts'
import * as hostile from './hostile.ts'
import { startHostile, type Fault } from './hostile.ts'

const bare = (url: string, signal?: AbortSignal): Promise<IncomingMessage> => new Promise((resolve, reject) => {
  get(url, { agent: false, ...signal && { signal } }, resolve).on('error', reject)
})

const dispatcherFor = (t: Parameters<typeof closing>[0]): Agent => {
  const dispatcher = new Agent({ headersTimeout: 500, bodyTimeout: 500, connections: 1 })
  t.after(() => dispatcher.destroy())
  return dispatcher
}

/** What a bare undici request makes of it: its code or name, or the body. */
const outcome = async (url: string, dispatcher: Agent): Promise<string> => {
  try {
    const { statusCode, body } = await request(url, { dispatcher })
    return `${statusCode} ${await body.text()}`
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException
    return code ?? name
  }
}

suite('each fault fires, and a bare undici request meets it', { concurrency: true }, () => {
  const cases: [Fault, expected: RegExp][] = [
    [hostile.acceptAndSayNothing(), /HEADERS_TIMEOUT/],
    [hostile.neverAnswer(), /HEADERS_TIMEOUT/],
    [hostile.resetAtAccept(), /ECONNRESET|UND_ERR_SOCKET/],
    [hostile.closeAtAccept(), /UND_ERR_SOCKET/],
    [hostile.resetAfter(0), /ECONNRESET|UND_ERR_SOCKET/],
    [hostile.resetMidHeaders(), /ECONNRESET|UND_ERR_SOCKET/],
    [hostile.resetMidBody(), /ECONNRESET|UND_ERR_SOCKET/],
    [hostile.resetWhenIdle(), /^200 x+$/],
    [hostile.truncatedChunked(), /UND_ERR_SOCKET|HTTPParserError|HPE/],
    [hostile.unendedChunked(), /UND_ERR_SOCKET|HTTPParserError|HPE/],
    [hostile.badChunkSize(), /HTTPParserError|HPE/],
    [hostile.shortContentLength(), /UND_ERR/],
    [hostile.closeDelimited(), /^200 all of it$/],
    [hostile.hugeContentLength(), /BODY_TIMEOUT/],
    [hostile.duplicateContentLength(), /MISMATCH|HTTPParserError|HPE/],
    [hostile.lengthAndChunked(), /MISMATCH|HTTPParserError|HPE/],
    [hostile.extraReply(), /200 asked|HTTPParserError|HPE|UND_ERR/],
    [hostile.garbageStatusLine(), /HTTPParserError|HPE/],
    [hostile.statusZero(), /Assertion|HPE|HTTPParserError/i],
    [hostile.unaskedUpgrade(), /UND_ERR/],
    [hostile.slowDripHeaders(), /HEADERS_TIMEOUT|OVERFLOW/],
    [hostile.headerBomb(), /OVERFLOW/],
    [hostile.lyingContentEncoding(), /^200 plainly not compressed$/],
    [hostile.statusSequence([500]), /^500 /],
    [hostile.retryAfter('1e1'), /^503 /],
    [hostile.healthy('well'), /^200 well$/],
  ]
  for (const [fault, expected] of cases) {
    test(fault.name, { timeout: 10_000 }, async t => {
      const server = await closing(t, startHostile(fault))
      const dispatcher = dispatcherFor(t)
      const seen = await outcome(server.url, dispatcher)
      ok(expected.test(seen), seen)
      await eventually(() => fault.fired === 1, { what: 'the fault fired' })
      equal(server.accepted, 1)
    })
  }
})

suite('floods go on until the client goes, and then stop', () => {
  const cases: [Fault, most: number][] = [
    [hostile.slowDripBody(1), 10_000],
    [hostile.interim1xxDrip(1), 10_000],
    [hostile.interim1xxFlood(), 256 * 2 ** 20],
    [hostile.endlessBody(), 256 * 2 ** 20],
  ]
  for (const [fault, most] of cases) {
    test(fault.name, async t => {
      const watch = leaks()
      const server = await closing(t, startHostile({ '/bad': fault }))
      const gone = new AbortController()
      const asked = bare(`${server.url}/bad`, gone.signal).then(reply => reply.resume().on('error', () => {}))
      asked.catch(() => {})
      await eventually(() => fault.fired === 1)
      const before = server.sent
      await eventually(() => server.sent > before)
      gone.abort()
      await eventually(() => server.connections === 0)
      ok(server.sent < most, `${server.sent} bytes sent`)
      await server.close()
      await watch.assertNone()
    })
  }
})

suite('encodings', () => {
  const decoders = {
    'gzip': zlib.gunzipSync, 'deflate': zlib.inflateSync, 'deflate-raw': zlib.inflateRawSync,
    'br': zlib.brotliDecompressSync, 'zstd': zlib.zstdDecompressSync,
  }
  for (const coding of ['gzip', 'deflate', 'deflate-raw', 'br', 'zstd'] as const) {
    test(`${coding} is what it says, well and as a bomb`, async t => {
      const well = hostile.encoded(coding, 'a body')
      const bomb = hostile.gzipBomb(4, coding)
      const server = await closing(t, startHostile({ '/well': well, '/bomb': bomb }))
      const dispatcher = dispatcherFor(t)
      const reply = await request(`${server.url}/well`, { dispatcher })
      equal(reply.headers['content-encoding'], coding.replace('-raw', ''))
      equal(decoders[coding](Buffer.from(await reply.body.arrayBuffer())).toString(), 'a body')
      const bombed = Buffer.from(await (await request(`${server.url}/bomb`, { dispatcher })).body.arrayBuffer())
      ok(bombed.length < 2 ** 15, `${bombed.length} bytes`)
      equal(decoders[coding](bombed).length, 4 * 2 ** 20)
      deepEqual([well.fired, bomb.fired], [1, 1])
    })
  }

  test('a bomb of 200 MiB is small on the wire', async t => {
    const fault = hostile.gzipBomb()
    const server = await closing(t, startHostile(fault))
    const { body } = await request(server.url, { dispatcher: dispatcherFor(t) })
    ok((await body.arrayBuffer()).byteLength < 2 ** 18)
    equal(fault.fired, 1)
  })

  test('a truncated gzip is complete to HTTP and not to gzip', async t => {
    const fault = hostile.truncatedGzip()
    const server = await closing(t, startHostile(fault))
    const { body } = await request(server.url, { dispatcher: dispatcherFor(t) })
    const bytes = Buffer.from(await body.arrayBuffer())
    await rejects(async () => zlib.gunzipSync(bytes), { code: 'Z_BUF_ERROR' })
    equal(fault.fired, 1)
  })
})

for (const how of ['reset', 'end'] as const) {
  test(`keepAliveReset(${how}) answers each connection's first request, and ends it at the second`, async t => {
    const fault = hostile.keepAliveReset(how)
    const server = await closing(t, startHostile(fault))
    const dispatcher = dispatcherFor(t)
    ok((await outcome(server.url, dispatcher)).startsWith('200'))
    equal(fault.fired, 0)
    ok(/ECONNRESET|UND_ERR_SOCKET/.test(await outcome(server.url, dispatcher)))
    equal(fault.fired, 1)
    equal(server.accepted, 1)
    ok((await outcome(server.url, dispatcher)).startsWith('200'))
    equal(server.accepted, 2)
  })
}

test('statuses and faults come in turn, and can be switched while connected', async t => {
  const sequence = hostile.statusSequence([200, 503, 404])
  const server = await closing(t, startHostile(sequence))
  const dispatcher = dispatcherFor(t)
  const seen = []
  for (let i = 0; i < 4; i++) seen.push((await outcome(server.url, dispatcher)).slice(0, 3))
  deepEqual(seen, ['200', '503', '404', '404'])
  equal(sequence.fired, 3)

  const later = hostile.retryAfter(1)
  const turns = hostile.faultsInTurn(later, hostile.healthy())
  server.handle(turns)
  const reply = await bare(server.url)
  deepEqual([reply.statusCode, reply.headers['retry-after'], await text(reply)], [503, '1', 'later'])
  equal(await outcome(server.url, dispatcher), '200 ok')
  deepEqual([later.fired, turns.fired, server.requests], [1, 2, 6])
})

test('an upload is read to its end before the fault acts, chunked or not', async t => {
  const fault = hostile.healthy('got it')
  const server = await closing(t, startHostile(fault))
  const dispatcher = dispatcherFor(t)
  const chunks = async function* (): AsyncGenerator<string> { yield* ['a'.repeat(100_000), 'b'] }
  for (const body of ['c'.repeat(100_000), chunks()]) {
    const reply = await request(server.url, { dispatcher, method: 'POST', body: body as string })
    equal(await reply.body.text(), 'got it')
  }
  deepEqual([fault.fired, server.requests, server.accepted], [2, 2, 1])
})
