import { deepEqual, doesNotMatch, equal, match } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { closing } from '../support/check.ts'
import { ask, startGateway, talk } from '../support/gateway-under-test.ts'
import { raw, startHostile } from '../support/hostile.ts'
import { echo, startServer, type Echo } from '../support/server.ts'

suite('a gateway', () => {
  test('answers TRACE itself, which would show a client the fields that the gateway adds', async t => {
    const server = await closing(t, startServer(echo))
    const own = { upstreams: { up: { url: server.url, headers: { authorization: 'Bearer SERVICE' } } } }
    const gateway = await closing(t, startGateway(server.url, {}, own))
    const { heard } = await talk(gateway.port, 'TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    match(heard, /^HTTP\/1\.1 405 /)
    match(heard, /^allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r$/im)
    doesNotMatch(heard, /SERVICE/)
    equal(server.hits, 0)
  })

  test('refuses more than one host, and one that is none: servers on the way would choose different ones', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const told = async (...hosts: string[]): Promise<string> => {
      const fields = hosts.map(host => `host: ${host}\r\n`).join('')
      const { heard } = await talk(gateway.port, `GET / HTTP/1.1\r\n${fields}connection: close\r\n\r\n`)
      return heard.slice(9, 12)
    }
    for (const hosts of [['a', 'b'], ['a', 'a'], ['a', '']]) equal(await told(...hosts), '400', hosts.join(' and '))
    for (const host of ['a, b', 'u@a', 'a/b', 'a:b', 'a b', '[a', 'é', '%zz']) equal(await told(host), '400', host)
    equal(server.hits, 0)
    for (const host of ['a', 'a.example:80', 'a_b', '[::1]:80', '127.0.0.1', '%41', '']) equal(await told(host), '200', host)
  })

  test('refuses a transfer coding it can’t undo, in a request and in a response', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const coded = gzipSync('hello').toString('latin1')
    const chunked = Buffer.from(`transfer-encoding: gzip, chunked\r\n\r\n${coded.length.toString(16)}\r\n${coded}\r\n0\r\n\r\n`, 'latin1')
    const { heard } = await talk(gateway.port, Buffer.concat([Buffer.from('POST / HTTP/1.1\r\nhost: a\r\n'), chunked]))
    match(heard, /^HTTP\/1\.1 501 /)
    equal(server.hits, 0)
    const hostile = await closing(t, startHostile(raw(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n'), chunked]))))
    const before = await closing(t, startGateway(hostile.url))
    const answer = await ask(before.url)
    deepEqual([answer.status, answer.headers['proxy-status']],
      [502, 'breakwater; error=http_response_transfer_coding; next-hop=up'])
    equal(before.errors.length, 1)
  })

  test('counts Max-Forwards down for OPTIONS, and is the recipient at 0', async t => {
    const server = await closing(t, startServer(echo))
    const gateway = await closing(t, startGateway(server.url))
    const told = async (method: string, given: string): Promise<string> => {
      const { heard } = await talk(gateway.port, `${method} / HTTP/1.1\r\nhost: a\r\nmax-forwards: ${given}\r\nconnection: close\r\n\r\n`)
      const body = heard.slice(heard.indexOf('\r\n\r\n') + 4)
      return body === '' ? heard.slice(9, 12) : String((JSON.parse(body) as Echo).headers['max-forwards'])
    }
    deepEqual([await told('OPTIONS', '0'), server.hits], ['204', 0])
    deepEqual([await told('OPTIONS', '7'), await told('OPTIONS', 'x'), await told('GET', '0')], ['6', 'x', '0'])
  })
})
