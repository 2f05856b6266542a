import { deepEqual, doesNotMatch, equal, match } from 'node:assert/strict'
import { suite, test } from 'node:test'
import { closing } from '../support/check.ts'
import { startGateway, talk } from '../support/gateway-under-test.ts'
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
