import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import path from 'node:path'
import { suite, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { WebSocketServer } from 'ws'
import { closing } from '../support/check.ts'
import { byPath, hold, inTurn, json, startServer, status, tls } from '../support/server.ts'
import { PRELOADED, printed, run } from './program.ts'

const [, source = ''] = PRELOADED
const QUICK = '{ "retry": { "backoff": 1, "maxBackoff": 1, "throttledBackoff": 1 } }'
/** A program that prints what `fetch` of a URL comes to. */
const fetching = (url: string): string => `
  const said = await fetch('${url}').then(async response => [response.status, await response.json()], error => error.cause.code)
  console.log(JSON.stringify(said))`

suite('node --import breakwater/install', () => {
  test('has fetch try a failing upstream again, with a body too', async t => {
    const seen: string[] = []
    const server = await closing(t, startServer(async (request, response) => {
      seen.push(`${request.method} ${(await request.toArray() as Buffer[]).join('')}`)
      response.writeHead(seen.length % 2 === 0 ? 200 : 503).end('"well"')
    }))
    deepEqual(await printed(t, `
      const got = await fetch('${server.url}')
      const put = await fetch('${server.url}', { method: 'PUT', body: 'all of it' })
      console.log(JSON.stringify([got.status, await got.json(), put.status, await put.json(), put instanceof Response]))
    `), [200, 'well', 200, 'well', true])
    deepEqual(seen, ['GET ', 'GET ', 'PUT all of it', 'PUT all of it'])
  })

  test('opens the circuit of an upstream that is down, and refuses without asking it', async t => {
    const server = await closing(t, startServer(status(502)))
    const [statuses, refused, hits] = await printed(t, `
      const statuses = []
      let refused
      while (refused === undefined && statuses.length < 100) {
        await fetch('${server.url}').then(({ status }) => statuses.push(status), error => { refused = error })
      }
      console.log(JSON.stringify([[...new Set(statuses)], [refused?.name, refused?.cause?.code], statuses.length]))
    `, { env: { BREAKWATER_CONFIG: '{ "retry": false, "breaker": { "consecutive": 3, "probeShare": 0, "openTime": 30000 } }' } }) as [
      number[], string[], number,
    ]
    deepEqual([statuses, refused], [[502], ['TypeError', 'ERR_CIRCUIT_OPEN']])
    equal(server.hits, hits)
  })

  test('holds the deadline against an upstream that hangs', async t => {
    const server = await closing(t, startServer(hold().handler))
    const env = { BREAKWATER_CONFIG: '{ "deadline": 100 }' }
    equal(await printed(t, fetching(server.url), { env }), 'ERR_DEADLINE_EXCEEDED')
    equal(server.hits, 1)
  })

  test('is configured by a file of JSON, or a module', async t => {
    const server = await closing(t, startServer(json(1)))
    const files = {
      'breakwater.json': '{ "allow": "configured" }',
      'breakwater.mjs': 'export const options = { allow: "configured" }',
      'breakwater.cjs': 'exports.options = { allow: "configured" }',
      'breakwater.ts': 'export const options: { allow: string } = { allow: "configured" }',
    }
    deepEqual(await printed(t, fetching(server.url), { files, env: { BREAKWATER_CONFIG: '' } }), [200, 1])
    for (const name of Object.keys(files)) {
      const env = { BREAKWATER_CONFIG: `./${name}` }
      equal(await printed(t, fetching(server.url), { files, env }), 'ERR_OPTION', name)
    }
    equal(server.hits, 1)
  })

  test('ends the start when the configuration is wrong, and says where and what', async t => {
    const files = {
      'a.json': '{ "retry": { "limit": -1 } }', 'b.json': '{ "deadlin": 1 }', 'c.json': '{ "headers": { "a": secret } }',
      'd.mjs': 'export const deadline = 1', 'e.yaml': 'deadline: 1', 'f.json': '[]', 'g.mjs': 'throw new Error("my own")',
    }
    const wrongs: [given: string, said: RegExp][] = [
      ['./a.json', /OptionError: \.\/a\.json: `retry\.limit` must be .*, got -1\n/],
      ['./b.json', /OptionError: \.\/b\.json: unknown option `deadlin`: did you mean `deadline`\?\n/],
      ['./c.json', /OptionError: \.\/c\.json is not valid JSON: Unexpected token 's'\n/],
      ['./d.mjs', /OptionError: \.\/d\.mjs does not export `options`\n/],
      ['./e.yaml', /OptionError: `BREAKWATER_CONFIG` must be the path of a file that ends in \.json, .*, got '\.\/e\.yaml'\n/],
      ['./f.json', /OptionError: \.\/f\.json: `options` must be a plain object, got an array\n/],
      ['./g.mjs', /g\.mjs:1\n[^]*Error: my own\n/],
      ['./none.json', /OptionError: `BREAKWATER_CONFIG` is neither JSON nor the path of a file: \/.*none\.json\n/],
      ['{ "deadline": "1 s" }', /OptionError: BREAKWATER_CONFIG: `deadline` must be .*, got '1 s'\n/],
    ]
    for (const [given, said] of wrongs) {
      const { code, stdout, stderr } = await run(t, 'console.log("began")', { files, env: { BREAKWATER_CONFIG: given } })
      match(stderr, said)
      ok(!stderr.includes('secret'))
      deepEqual([code, stdout], [1, ''], given)
    }
  })

  test('keeps no process alive: neither by being there nor by connections it keeps for later', async t => {
    const server = await closing(t, startServer({ keepAliveTimeout: 60_000 }))
    const env = { BREAKWATER_CONFIG: '{ "pool": { "idleTimeout": 60000, "maxIdleTimeout": 60000 } }' }
    deepEqual((await run(t, '', { env })).code, 0)
    deepEqual((await run(t, `await (await fetch('${server.url}')).json()`, { env })).code, 0)
    equal(server.accepted, 1)
  })

  test('works by NODE_OPTIONS and by --require, and by the path of its file', async t => {
    const file = path.resolve(import.meta.dirname, '../../src/install/index.ts')
    const ways: { args: string[]; env?: Record<string, string> }[] = [
      { args: [], env: { NODE_OPTIONS: `--import ${source} --import=breakwater/install` } },
      { args: [], env: { NODE_OPTIONS: `--import "${source}" --import "breakwater/install"` } },
      { args: ['--import', source, `--import=${pathToFileURL(file).href}`] },
      { args: ['--require', file] },
      { args: ['-r', file] },
    ]
    for (const { args, env = {} } of ways) {
      const server = await closing(t, startServer(inTurn(status(503), json(1))))
      const said = await printed(t, fetching(server.url), { args, env: { BREAKWATER_CONFIG: QUICK, ...env } })
      deepEqual(said, [200, 1], args.join(' '))
    }
  })

  test('protects worker threads, each with a client of its own', async t => {
    const server = await closing(t, startServer(inTurn(status(503), json(1))))
    deepEqual(await printed(t, `
      import { Worker } from 'node:worker_threads'
      new Worker('./worker.mjs')
    `, { files: { 'worker.mjs': fetching(server.url) }, env: { BREAKWATER_CONFIG: QUICK } }), [200, 1])
  })

  test('gives the program its client, for metrics and for uninstall()', async t => {
    const server = await closing(t, startServer(byPath({ '/': json(1), '/after': status(503) })))
    deepEqual(await printed(t, `
      import { install, uninstall } from 'breakwater/install'
      await (await fetch('${server.url}')).json()
      const names = install().snapshot().map(({ name }) => name)
      await uninstall()
      console.log(JSON.stringify([names, (await fetch('${server.url}/after')).status]))
    `), [[server.url], 503])
    equal(server.hitsOf('/after'), 1)
  })

  test('lets a WebSocket of the host through', async t => {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    t.after(() => { sockets.close() })
    await once(sockets, 'listening')
    sockets.on('connection', socket => socket.on('message', (said: Buffer) => { socket.send(`heard ${said.toString()}`) }))
    const { port } = sockets.address() as { port: number }
    equal(await printed(t, `
      import { install } from 'breakwater/install'
      const socket = new WebSocket('ws://127.0.0.1:${port}')
      socket.onopen = () => socket.send('you')
      socket.onmessage = ({ data }) => {
        console.log(JSON.stringify(data + ' by ' + install().snapshot().length))
        socket.close()
      }
    `), 'heard you by 1')
  })

  const noProxies = !process.allowedNodeEnvironmentFlags.has('--use-env-proxy') && 'this Node knows no NODE_USE_ENV_PROXY'
  test('goes by the proxy of the environment where the host’s fetch does', { skip: noProxies }, async t => {
    const [proxy, server] = [await closing(t, startServer(json('proxied'))), await closing(t, startServer(json('direct')))]
    const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy.url, http_proxy: proxy.url, NO_PROXY: '', no_proxy: '' }
    deepEqual(await printed(t, fetching(server.url), { env }), [200, 'proxied'])
    deepEqual(await printed(t, fetching(server.url), { env: { ...env, no_proxy: '127.0.0.1' } }), [200, 'direct'])
    deepEqual([proxy.hits, server.hits], [1, 1])
  })

  test('keeps to the TLS options that are given when it goes by a proxy, and when it does not', { skip: noProxies }, async t => {
    const server = await closing(t, startServer({ protocol: 'https', handler: json('secure') }))
    const proxy = createServer().listen(0, '127.0.0.1')
    let tunnels = 0
    proxy.on('connect', (_request, client, head) => {
      tunnels++
      const upstream = connect(server.port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n')
        upstream.write(head)
        upstream.pipe(client).on('error', () => upstream.destroy()).pipe(upstream).on('error', () => client.destroy())
      })
    })
    t.after(() => proxy.close())
    await once(proxy, 'listening')
    const url = `http://127.0.0.1:${(proxy.address() as { port: number }).port}`
    const env = {
      NODE_USE_ENV_PROXY: '1', HTTPS_PROXY: url, https_proxy: url, NO_PROXY: '', no_proxy: '',
      BREAKWATER_CONFIG: JSON.stringify({ retry: false, pool: { tls: { ca: tls.cert } } }),
    }
    deepEqual(await printed(t, fetching(server.url), { env }), [200, 'secure'])
    equal(tunnels, 1)
    deepEqual(await printed(t, fetching(server.url), { env: { ...env, no_proxy: '127.0.0.1' } }), [200, 'secure'])
    equal(tunnels, 1)
  })
})
