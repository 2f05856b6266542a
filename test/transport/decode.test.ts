import { deepEqual, equal, match } from 'node:assert/strict'
import { once } from 'node:events'
import { buffer, text } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { suite, test } from 'node:test'
import * as zlib from 'node:zlib'
import { createClient, ResponseError, type Client } from '../../src/index.ts'
import { codingsOf, decoders } from '../../src/transport/decode.ts'
import { closing, settle } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { startServer, status } from '../support/server.ts'

const CODINGS = ['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'gzip, br', 'rot13', '']
const streamed = async (client: Client, method: string, url: string): Promise<string> =>
  text((await client.stream(method, url, { throwOnStatus: false })).body)
const whole = async (client: Client, method: string, url: string): Promise<string> =>
  (await client.request(method, url, { throwOnStatus: false })).text()
const faces = Object.entries({ streamed, whole })

suite('a reply without a body that says how its body is encoded', () => {
  for (const [face, get] of faces) {
    for (const [method, code] of [['GET', 304], ['GET', 204], ['GET', 200], ['GET', 404], ['HEAD', 200]] as const) {
      test(`is empty: ${method} ${code}, ${face}`, async t => {
        let coding = ''
        const server = await closing(t, startServer((...to) => status(code, { 'content-encoding': coding })(...to)))
        const client = await closing(t, createClient({ retry: false }))
        for (coding of CODINGS) equal(await get(client, method, server.url), '', coding)
        const [endpoint] = client.snapshot()[0]?.endpoints ?? []
        deepEqual([endpoint?.circuit, endpoint?.failureRate], ['closed', 0])
      })
    }
  }
})

suite('deflate without the header of zlib', () => {
  const body = 'hello, world. '.repeat(5_000)
  for (const [face, get] of faces) {
    test(`is decoded as well as with it, inside of other codings too: ${face}`, async t => {
      const raw = zlib.deflateRawSync(body)
      const sent: [string, Buffer][] = [
        ['deflate', raw], ['deflate', zlib.deflateSync(body)], ['deflate, gzip', zlib.gzipSync(raw)],
        ['gzip, deflate', zlib.deflateRawSync(zlib.gzipSync(body))],
      ]
      const server = await closing(t, startServer((request, response) => {
        const [coding, bytes] = sent[Number(request.url?.slice(1))] ?? ['', Buffer.alloc(0)]
        void status(200, { 'content-encoding': coding }, bytes)(request, response)
      }))
      const client = await closing(t, createClient({ retry: false }))
      for (const index of sent.keys()) equal(await get(client, 'GET', `${server.url}/${index}`), body)
    })
  }

  test('is decoded wherever the chunks of it begin and end', async () => {
    const raw = zlib.deflateRawSync('a short body')
    for (let at = 0; at <= raw.length; at++) {
      const [decoder] = decoders(codingsOf('deflate') ?? [])
      const chunks = [raw.subarray(0, at), raw.subarray(at)].filter(({ length }) => length > 0)
      equal(String(await buffer(Readable.from(chunks).pipe(decoder as NodeJS.ReadWriteStream))), 'a short body')
    }
  })

  test('is decoded no further than its reader reads', async () => {
    const [decoder] = decoders(codingsOf('deflate') ?? [])
    decoder?.end(zlib.deflateRawSync(Buffer.alloc(20_000_000)))
    decoder?.on('readable', () => undefined)
    if (decoder !== undefined) await once(decoder, 'readable')
    await settle(100)
    equal((decoder?.readableLength ?? Infinity) < 200_000, true)
    decoder?.removeAllListeners('readable')
    let size = 0
    for await (const chunk of decoder ?? []) size += (chunk as Buffer).length
    equal(size, 20_000_000)
  })
})

suite('a zstd frame', () => {
  const encoded = async (windowLog: number): Promise<Buffer> => {
    const encoder = zlib.createZstdCompress({ params: { [zlib.constants.ZSTD_c_windowLog]: windowLog } })
    return buffer(Readable.from(Array<Buffer>(9).fill(Buffer.alloc(1_000_000))).pipe(encoder))
  }
  for (const [face, get] of faces) {
    test(`may ask for a window of 8 MiB, and no more (RFC 9659): ${face}`, async t => {
      let sent = await encoded(23)
      const server = await closing(t, startServer((...to) => status(200, { 'content-encoding': 'zstd' }, sent)(...to)))
      const client = await closing(t, createClient())
      equal((await get(client, 'GET', server.url)).length, 9_000_000)
      sent = await encoded(24)
      const { reason, verdict, attempts } = await failure(get(client, 'GET', server.url), ResponseError)
      match(reason, /zstd window of more than 8 MiB/)
      deepEqual([verdict, attempts], ['healthy', 1])
    })
  }
})
