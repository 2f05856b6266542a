import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { suite, test, type TestContext } from 'node:test'
import { Agent, errors, interceptors, request, WebSocket, type Dispatcher } from 'undici'
import {
  channels, CircuitOpenError, createClient, DrainingError, LimitExceededError, OptionError, type CallEvent,
  type CallStartEvent, type Client, type ClientOptions, type UpstreamSnapshot,
} from '../../../src/index.ts'
import { closing, eventually } from '../../support/check.ts'
import { OFF, recorder, startPeer, type Peer } from '../../support/dispatching.ts'
import { failure } from '../../support/failure.ts'
import { echo, hold, startServer, status, type Handler, type TestServer } from '../../support/server.ts'

const start = async (
  t: TestContext, handler: Handler, options: ClientOptions = {},
): Promise<[TestServer, Dispatcher, Client]> => {
  const server = await closing(t, startServer(handler))
  const client = await closing(t, createClient({ retry: false, ...options }))
  return [server, client.dispatcher(), client]
}
const withPeer = async (t: TestContext, options: ClientOptions = {}): Promise<[Peer, Dispatcher, Client]> => {
  const peer = await closing(t, startPeer())
  const client = createClient({ retry: false, ...options })
  t.after(() => client.destroy())
  return [peer, client.dispatcher(), client]
}
const only = (client: Client): UpstreamSnapshot => client.snapshot()[0]!
const circuit = (client: Client): string => only(client).endpoints[0]!.circuit
const read = async (sent: Promise<Dispatcher.ResponseData>): Promise<string> => (await sent).body.text()

suite('the breaker', () => {
  test('is opened by dispatched requests, and refuses them before anything is sent', async t => {
    const [server, dispatcher, client] = await start(t, status(503, {}, 'no'), { breaker: { consecutive: 2 } })
    deepEqual([await read(request(server.url, { dispatcher })), await read(request(server.url, { dispatcher }))], ['no', 'no'])
    equal(circuit(client), 'open')
    const handler = recorder()
    equal(dispatcher.dispatch({ origin: server.url, path: '/', method: 'GET' }, handler), false)
    deepEqual(handler.seen, [['error', 'CircuitOpenError ERR_CIRCUIT_OPEN']])
    const error = await failure(request(server.url, { dispatcher }), CircuitOpenError)
    deepEqual([error.attempts, error.sent], [0, 'never'])
    equal(server.hits, 2)
  })

  test('hears of a body that is cut short', async t => {
    const [peer, dispatcher, client] = await withPeer(t, { breaker: { consecutive: 1 } })
    const { body } = await request(`${peer.url}/truncated`, { dispatcher })
    await failure(body.text(), Error)
    equal(circuit(client), 'open')
  })

  test('is told nothing by what the caller aborts, throws or feeds', async t => {
    const [peer, dispatcher, client] = await withPeer(t, { breaker: { consecutive: 1 } })
    const begin = { origin: peer.url, path: '/trailers', method: 'GET' } as const
    const stop = new Error('stop')
    for (const also of [
      { onResponseStart: (controller: Dispatcher.DispatchController) => { controller.abort(stop) } },
      { onResponseData: () => { throw stop } },
    ]) {
      const handler = recorder(also)
      dispatcher.dispatch(begin, handler)
      await handler.done
    }
    const body = (async function* () {
      yield 'one'
      throw stop
    })()
    equal(await failure(request(`${peer.url}/echo`, { dispatcher, method: 'PUT', body: body as never }), Error), stop)
    await failure(request(`${peer.url}/a b`, { dispatcher, headers: ['odd'] }), Error)
    deepEqual([circuit(client), only(client).endpoints[0]!.calls, only(client).active], ['closed', 0, 0])
  })
})

suite('the limit', () => {
  test('holds a dispatched request until its turn, and gives back the permit at the end of its body', async t => {
    const gate = hold((_request, response) => { response.write('begun') })
    const [server, dispatcher, client] = await start(t, gate.handler, { limit: { max: 1, queue: 1, adaptive: false } })
    const first = request(server.url, { dispatcher })
    await eventually(() => gate.waiting === 1)
    const second = request(server.url, { dispatcher })
    const { limit } = only(client)
    deepEqual([limit.inFlight, limit.queued, only(client).active], [1, 1, 2])
    equal((await failure(request(server.url, { dispatcher }), LimitExceededError)).kind, 'queue')
    gate.release()
    const { body } = await first
    equal(server.hits, 1)
    body.on('error', () => {}).destroy()
    ;(await second).body.on('error', () => {}).destroy()
    await eventually(() => only(client).active === 0 && only(client).limit.inFlight === 0)
  })

  test('lets go at once of a request that is aborted while it waits', async t => {
    const gate = hold()
    const [server, dispatcher, client] = await start(t, gate.handler, { limit: { max: 1, queue: 1, adaptive: false } })
    const first = request(server.url, { dispatcher })
    await eventually(() => gate.waiting === 1)
    const controller = new AbortController()
    const second = request(server.url, { dispatcher, signal: controller.signal })
    const reason = new Error('no longer')
    controller.abort(reason)
    equal(await failure(second, Error), reason)
    deepEqual([only(client).limit.queued, server.hits], [0, 1])
    gate.release()
    await (await first).body.dump()
  })

  test('lets go of an upgraded connection, which counts as a healthy reply', async t => {
    const [peer, dispatcher, client] = await withPeer(t, { limit: { max: 1, queue: 0, adaptive: false } })
    const socket = new WebSocket(`${peer.url.replace('http', 'ws')}/ws`, { dispatcher })
    await once(socket as unknown as NodeJS.EventEmitter, 'message')
    const { limit, active, endpoints } = only(client)
    deepEqual([limit.inFlight, active, endpoints[0]!.calls, endpoints[0]!.inFlight], [0, 0, 1, 0])
    equal(await read(request(`${peer.url}/trailers`, { dispatcher })), 'one two')
    const tunnel = await dispatcher.connect({ origin: peer.url, path: 'there:80' })
    deepEqual([only(client).limit.inFlight, only(client).active], [0, 0])
    tunnel.socket.destroy()
    socket.close()
  })
})

suite('an upgrade', () => {
  test('is not made again once it may have been sent, whatever the answer', async t => {
    const [peer, dispatcher, client] = await withPeer(t, { retry: { backoff: 1 } })
    const handler = recorder()
    dispatcher.dispatch({ origin: peer.url, path: '/no-upgrade', method: 'GET', upgrade: 'echo' }, handler)
    await handler.done
    deepEqual(handler.seen.map(event => (event as unknown[]).slice(0, 2)),
      [['start', false], ['headers', 503], ['data', 'busy'], ['end', {}]])
    const { statusCode, socket } = await dispatcher.connect({ origin: peer.url, path: 'refused:1' })
    socket.destroy()
    deepEqual([statusCode, peer.requests], [502, ['UPGRADE /no-upgrade', 'CONNECT refused:1']])
    await eventually(() => only(client).active === 0)
  })
})

suite('interim responses', () => {
  test('of an attempt that is given up are not handed on; of the last they are, in order', async t => {
    let turn = 0
    const [server, dispatcher] = await start(t, (_request, response) => {
      response.writeEarlyHints({ link: `</${++turn}.css>; rel=preload` })
      response.writeHead(turn === 1 ? 503 : 200).end()
    }, { retry: { backoff: 1, maxBackoff: 1, throttledBackoff: 1 } })
    const links: unknown[] = []
    const onInfo = ({ headers }: { headers: Record<string, unknown> }): void => { links.push(headers['link']) }
    const { statusCode, body } = await request(server.url, { dispatcher, onInfo })
    await body.dump()
    deepEqual([statusCode, links], [200, ['</2.css>; rel=preload']])
  })

  test('come at once where there can be no retry', async t => {
    let ended = (): void => {}
    const [server, waiting] = await start(t, (_request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      ended = () => { response.end() }
    }, { retry: {} })
    const told = new Promise<number>(resolve => {
      void request(server.url, { dispatcher: waiting, method: 'POST', onInfo: ({ statusCode }) => { resolve(statusCode) } })
        .then(({ body }) => body.dump())
    })
    equal(await told, 103)
    ended()
  })
})

suite('what a client says of an upstream', () => {
  test('holds for dispatched requests: its headers, under the caller’s own, and the header of the deadline', async t => {
    const [server, dispatcher] = await start(t, echo, {
      headers: { 'x-ours': 'ours', 'x-both': 'ours' }, deadlineHeader: 'X-Deadline', deadline: 5_000,
    })
    const seen = JSON.parse(await read(request(server.url, { dispatcher, headers: ['X-Both', 'theirs'] }))) as { headers: object }
    const { 'x-ours': ours, 'x-both': both, 'x-deadline': left } = seen.headers as Record<string, string>
    deepEqual([ours, both], ['ours', 'theirs'])
    ok(Number(left) > 4_000 && Number(left) <= 5_000)
    const [other, passing] = await start(t, echo, { ...OFF, headers: { 'x-ours': 'ours' } })
    match(await read(request(other.url, { dispatcher: passing })), /"x-ours":"ours"/)
  })

  test('holds for what may be called, and for how many', async t => {
    const [server, dispatcher] = await start(t, echo, { allow: ['http://other.internal'] })
    const error = await failure(request(server.url, { dispatcher }), OptionError)
    match(error.message, /allow/)
    const gate = hold()
    const [busy, crowded] = await start(t, gate.handler, { maxUpstreams: 1 })
    const first = request(busy.url, { dispatcher: crowded })
    await eventually(() => gate.waiting === 1)
    equal((await failure(request(server.url, { dispatcher: crowded }), LimitExceededError)).kind, 'upstreams')
    gate.release()
    await (await first).body.dump()
  })

  test('holds whichever of its origins is asked for; another endpoint takes what one fails', async t => {
    const [down, up] = [await closing(t, startServer(status(503))), await closing(t, startServer(status(200, {}, 'up')))]
    const client = await closing(t, createClient({
      upstreams: { orders: { url: [down.url, up.url] } }, retry: { backoff: 1, maxBackoff: 1, throttledBackoff: 1 },
    }))
    equal(await read(request(down.url, { dispatcher: client.dispatcher() })), 'up')
    equal(client.snapshot().length, 1)
  })

  test('holds for events: a dispatched request is a call like any other', async t => {
    const ends: unknown[] = []
    let starts = 0
    const started = (): void => { starts++ }
    channels.callStart.subscribe(started)
    t.after(() => channels.callStart.unsubscribe(started))
    const listener = ({ method, attempts, status: code, error }: CallEvent): void => {
      ends.push([method, attempts, code, error])
    }
    channels.callEnd.subscribe(listener)
    t.after(() => channels.callEnd.unsubscribe(listener))
    const [server, dispatcher] = await start(t, status(404))
    await (await request(server.url, { dispatcher, method: 'POST' })).body.dump()
    await failure(request(server.url, { dispatcher, signal: AbortSignal.abort() }), Error)
    deepEqual([starts, ends], [1, [['POST', 1, 404, undefined]]])
  })
})

suite('closing', () => {
  for (const [protections, options] of [['on', {}], ['off', OFF]] as const) {
    test(`a client waits for its dispatchers’ requests and refuses new ones; protections ${protections}`, async t => {
      const gate = hold(status(200, {}, 'yes'))
      const [server, dispatcher, client] = await start(t, gate.handler, options)
      const sent = read(request(server.url, { dispatcher }))
      await eventually(() => gate.waiting === 1)
      equal(only(client).active, 1)
      const closed = client.close()
      await failure(request(server.url, { dispatcher }), DrainingError)
      gate.release()
      equal(await sent, 'yes')
      await closed
    })

    test(`a client that is destroyed ends them; protections ${protections}`, async t => {
      const gate = hold()
      const server = await closing(t, startServer(gate.handler))
      // An upstream of another kind is forgotten by destroy().
      const client = createClient({ retry: false, ...options, upstreams: { orders: { url: server.url } } })
      const sent = failure(request(server.url, { dispatcher: client.dispatcher() }), Error)
      await eventually(() => gate.waiting === 1)
      equal(only(client).active, 1)
      await client.destroy()
      ok(await sent)
      equal(only(client).active, 0)
    })

    test(`a dispatcher leaves the client and its other dispatchers as they are; protections ${protections}`, async t => {
      const [server, dispatcher, client] = await start(t, status(200, {}, 'yes'), options)
      await dispatcher.close()
      await client.dispatcher().destroy()
      equal(await read(request(server.url, { dispatcher: client.dispatcher() })), 'yes')
      equal(await client.get(server.url).text(), 'yes')
    })

    test(`a dispatcher that is destroyed while it closes ends what it waits for; protections ${protections}`, async t => {
      const gate = hold()
      const [server, dispatcher] = await start(t, gate.handler, options)
      const sent = failure(request(server.url, { dispatcher }), Error)
      await eventually(() => gate.waiting === 1)
      const closed = dispatcher.close()
      await dispatcher.destroy()
      equal((await sent as { code?: string }).code, 'UND_ERR_DESTROYED')
      await closed
    })

    test(`a dispatcher that is destroyed ends what waits for a connection, too; protections ${protections}`, async t => {
      const gate = hold()
      const [server, dispatcher, client] = await start(t, gate.handler, { ...options, pool: { connections: 1 } })
      const first = failure(request(server.url, { dispatcher: client.dispatcher() }), Error)
      await eventually(() => gate.waiting === 1)
      const second = failure(request(server.url, { dispatcher }), Error)
      await dispatcher.destroy()
      equal((await second as { code?: string }).code, 'UND_ERR_DESTROYED')
      await client.destroy()
      ok(await first)
    })
  }
})

suite('a dispatcher of the caller’s own underneath', () => {
  test('is reached when all protections are off, too', async t => {
    const peer = await closing(t, startPeer())
    const client = createClient({ ...OFF, pool: { factory: () => new Agent().compose(interceptors.decompress()) } })
    t.after(() => client.destroy())
    equal(await read(request(`${peer.url}/gzip`, { dispatcher: client.dispatcher() })), 'unzipped')
    const broken = createClient({ ...OFF, pool: { factory: () => { throw new RangeError('no pool') } } })
    await failure(request(peer.url, { dispatcher: broken.dispatcher() }), RangeError)
    deepEqual([only(client).active, only(broken).active], [0, 0])
  })

  test('is reached by dispatched requests, whatever is composed on it', async t => {
    const peer = await closing(t, startPeer())
    const agents: Agent[] = []
    const client = createClient({
      retry: false,
      pool: {
        factory: () => {
          const agent = new Agent()
          agents.push(agent)
          return agent.compose(interceptors.cache(), interceptors.decompress(), interceptors.dns())
        },
      },
    })
    t.after(() => client.destroy())
    const dispatcher = client.dispatcher()
    equal(await read(request(`${peer.url}/gzip`, { dispatcher })), 'unzipped')
    equal(await read(request(`${peer.url}/cached`, { dispatcher })), 'answer 2')
    equal(await read(request(`${peer.url}/cached`, { dispatcher })), 'answer 2')
    deepEqual([peer.requests.length, agents.length, only(client).active], [2, 1, 0])
  })
})

test('control characters of a path or method reach no error, event or snapshot, whatever refuses the request', async t => {
  const origin = 'http://127.0.0.1:1'
  const client = await closing(t, createClient({ upstreams: { u: { url: origin } } }))
  const dispatcher = client.dispatcher()
  const paths: string[] = []
  const record = ({ path }: CallStartEvent): void => { paths.push(path) }
  channels.callStart.subscribe(record)
  t.after(() => channels.callStart.unsubscribe(record))
  client.upstream('u').isolate()
  for (const [asked, message] of [
    [{ path: '/a\n2026-11-28 INFO login ok', method: 'GET' }, 'invalid request path'],
    [{ path: '/a\x1b[2J', method: 'GET' }, 'invalid request path'],
    [{ path: '/', method: 'GET\n\x1b[2Jforged' }, 'invalid request method'],
  ] as const) {
    const sent = dispatcher.request({ origin, ...asked, method: asked.method })
    equal((await failure(sent, errors.InvalidArgumentError)).message, message)
  }
  // undici sends this one, so it is refused by the circuit.
  const error = await failure(dispatcher.request({ origin, path: '/a\x9b2J\x7f?q', method: 'GET' }), CircuitOpenError)
  equal(error.path, '/a\\x9b2J\\x7f')
  deepEqual(paths, ['/a\\x9b2J\\x7f'])
  const shown = [error.message, JSON.stringify(error), ...only(client).lastErrors.map(({ message }) => message)]
  for (const text of shown) ok(!/[\0-\x1f\x7f-\x9f]/.test(text), JSON.stringify(text))
})
