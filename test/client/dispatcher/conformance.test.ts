import { EventEmitter, once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import * as undici from 'undici'
import type { Dispatcher } from 'undici'
import { eventually } from '../../support/check.ts'
import { conform, type Case } from '../../support/conformance.ts'
import { nameOf, recorder } from '../../support/dispatching.ts'
import { closedPort } from '../../support/hostile.ts'

/*
 * What undici documents of an Agent, tried over an Agent and over ours: with all protections off and with all of them on.
 * What is seen must be the same.
 */

const steady = (headers: object): object => Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'date'))

/** A request's outcome, read to its end. */
const seen = async (sent: Promise<Dispatcher.ResponseData<unknown>>): Promise<unknown> => {
  try {
    const { statusCode, statusText, headers, body, trailers, opaque, context } = await sent
    return { statusCode, statusText, headers: steady(headers), body: await body.text(), trailers, opaque, context }
  } catch (error) {
    return nameOf(error)
  }
}

/** All that a handler is told of a request. */
const told = async (
  dispatcher: Dispatcher, options: object, also: Partial<Dispatcher.DispatchHandler> = {},
): Promise<unknown> => {
  const handler = recorder(also)
  dispatcher.dispatch({ path: '/trailers', method: 'GET', ...options }, handler)
  await handler.done
  // Whatever might still come.
  await new Promise(resolve => { setImmediate(resolve) })
  return handler.seen
}

const get = (origin: string, path: string, more = {}): Dispatcher.RequestOptions =>
  ({ origin, path, method: 'GET', ...more })
const put = (origin: string, body: unknown, more = {}): Dispatcher.RequestOptions =>
  ({ origin, path: '/echo', method: 'PUT', body: body as string, ...more })
/** What an Agent has besides. */
const asAgent = (dispatcher: Dispatcher): Pick<undici.Agent, 'closed' | 'destroyed' | 'stats'> =>
  dispatcher as Dispatcher & Pick<undici.Agent, 'closed' | 'destroyed' | 'stats'>
const headersOf = (headers: unknown): object => ({ headers })

const thrown = new Error('thrown by the handler')
const throwing = (): never => { throw thrown }
const reason = new Error('enough')

const CASES: Record<string, Case> = {
  'a response with trailers': (d, origin) => seen(d.request(get(origin, '/trailers', { opaque: { mine: 1 } }))),
  'a callback in place of a promise': (d, origin) => new Promise(resolve => {
    d.request(get(origin, '/trailers', { opaque: 7 }), (error, data) => {
      resolve([error, data.statusCode, data.opaque])
      data.body.resume()
    })
  }),
  'HEAD': (d, origin) => seen(d.request({ origin, path: '/echo', method: 'HEAD' })),
  'a method of one’s own': (d, origin) => seen(d.request({ origin, path: '/echo', method: 'REPORT' })),
  '204, 304, 404 and 503 are responses': async (d, origin) => {
    const all = []
    for (const path of ['/204', '/304', '/404', '/503']) all.push(await seen(d.request(get(origin, path))))
    return all
  },
  'an empty body': (d, origin) => seen(d.request(get(origin, '/empty'))),
  'a long body': (d, origin) => seen(d.request(get(origin, '/big'))),
  'raw response headers': async (d, origin) => {
    const { headers, body } = await d.request(get(origin, '/echo', { responseHeaders: 'raw' }))
    await body.dump()
    return (headers as unknown as string[]).filter((_, index) => index % 2 === 0)
  },
  'an origin that is a URL, and a query': (d, origin) =>
    seen(d.request(get(origin, '/echo', { origin: new URL(origin), query: { a: [1, 2], b: 'ü' } }))),
  'an origin with credentials, which are not sent, and one in capitals': async (d, origin) => [
    await seen(d.request(get(origin, '/echo', { origin: origin.replace('//', '//user:secret@') }))),
    await seen(d.request(get(origin, '/echo', { origin: new URL(origin.replace('//', '//user@')) }))),
    await seen(d.request(get(origin, '/echo', { origin: origin.replace('http', 'HTTP') }))),
  ],
  'header fields as an object': (d, origin) =>
    seen(d.request(get(origin, '/echo', headersOf({
      'X-CaSe': 'kept', 'x-many': ['1', '2'], 'x-none': undefined, 'x-null': null,
    })))),
  'header fields as a flat list, in order and twice': (d, origin) =>
    seen(d.request(get(origin, '/echo', headersOf(['X-b', '1', 'x-A', '2', 'x-B', '3', 'x-list', ['4', '5']])))),
  'header fields as pairs': (d, origin) =>
    seen(d.request(get(origin, '/echo', headersOf(new Map([['X-b', '1'], ['x-A', '2']]))))),
  'header fields from a generator': (d, origin) => seen(d.request(get(origin, '/echo', headersOf((function* () {
    yield ['x-one', '1']
    yield ['x-two', '2']
  })())))),
  'header fields as Headers': (d, origin) =>
    seen(d.request(get(origin, '/echo', headersOf(new Headers({ 'X-b': '1', 'x-a': '2' }))))),
  'its own host': (d, origin) => seen(d.request(get(origin, '/echo', headersOf({ 'host': 'elsewhere.test', 'x-a': '1' })))),
  'a string as body': (d, origin) => seen(d.request(put(origin, 'text ü'))),
  'an empty string as body': (d, origin) => seen(d.request(put(origin, ''))),
  'bytes as body': async (d, origin) => [
    await seen(d.request(put(origin, Buffer.from('bytes')))), await seen(d.request(put(origin, new Uint8Array([97, 98])))),
    await seen(d.request(put(origin, new Uint16Array([0x4142])))),
    await seen(d.request(put(origin, new Uint8Array([99, 100]).buffer))),
  ],
  'a stream as body': (d, origin) => seen(d.request(put(origin, Readable.from(['one ', 'two'])))),
  'a stream of known length as body': (d, origin) =>
    seen(d.request(put(origin, Readable.from([Buffer.from('1234')]), headersOf({ 'content-length': '4' })))),
  'an iterable as body': (d, origin) => seen(d.request(put(origin, ['one ', 'two'][Symbol.iterator]()))),
  'an async iterable as body': (d, origin) => seen(d.request(put(origin, (async function* () {
    yield 'one '
    yield Buffer.from('two')
  })()))),
  'a web stream as body': (d, origin) => seen(d.request(put(origin, new Blob(['web']).stream()))),
  'a Blob as body': (d, origin) => seen(d.request(put(origin, new Blob(['blob'], { type: 'text/x' })))),
  'a form as body': (d, origin) => {
    const form = new undici.FormData()
    form.set('field', 'value')
    return seen(d.request(put(origin, form)))
  },
  'a form of another make as body': (d, origin) => seen(d.request(put(origin, new FormData()))),
  'stream()': async (d, origin) => {
    const chunks: string[] = []
    const into = new Writable({ write(chunk, _encoding, done) { chunks.push(String(chunk)); done() } })
    const { opaque, trailers } = await d.stream(get(origin, '/trailers', { opaque: into }), data => {
      const { statusCode, headers, opaque } = data
      chunks.push(String(statusCode), JSON.stringify(steady(headers)))
      return opaque as unknown as Writable
    })
    return [chunks, (opaque as unknown) === into, trailers]
  },
  'pipeline()': async (d, origin) => {
    const into: unknown[] = []
    await pipeline(
      Readable.from(['up ', 'stream']),
      d.pipeline({ origin, path: '/echo', method: 'PUT' }, ({ statusCode, body }) => {
        into.push(statusCode)
        return body
      }),
      async source => { into.push(await text(source)) },
    )
    return into
  },
  'connect()': async (d, origin) => {
    const { statusCode, headers, socket } = await d.connect({ origin, path: 'there:80' })
    socket.write('through')
    const [echoed] = await once(socket, 'data') as [Buffer]
    socket.destroy()
    return [statusCode, headers, String(echoed)]
  },
  'connect() that is refused': async (d, origin) => {
    const { statusCode, headers, socket } = await d.connect({ origin, path: 'refused:1' })
    socket.destroy()
    return [statusCode, headers]
  },
  'upgrade()': async (d, origin) => {
    const upgrade = d.upgrade.bind(d) as (options: object) => Promise<Dispatcher.UpgradeData>
    const { headers, socket } = await upgrade({ origin, path: '/up', protocol: 'echo' })
    socket.write('through')
    const [echoed] = await once(socket, 'data') as [Buffer]
    socket.destroy()
    return [headers, String(echoed)]
  },
  'upgrade() that is answered otherwise': (d, origin) => told(d, { origin, path: '/no-upgrade', upgrade: 'echo' }),
  'upgrade() by itself': (d, origin) => {
    const upgrade = d.upgrade.bind(d) as (options: object) => Promise<unknown>
    return upgrade({ origin, path: '/no-upgrade' }).then(() => 'upgraded', nameOf)
  },
  'fetch()': async (d, origin) => {
    const response = await undici.fetch(`${origin}/gzip?a=1`, { dispatcher: d })
    return [response.status, await response.text(), [...response.headers.keys()]]
  },
  'fetch() with a body, redirected': async (d, origin, { requests }) => {
    const response = await undici.fetch(`${origin}/redirect`, { dispatcher: d, method: 'POST', body: 'x' })
    return [response.redirected, response.url.slice(origin.length), await response.json(), requests]
  },
  'fetch() that is aborted': async (d, origin) => {
    const controller = new AbortController()
    const response = await undici.fetch(`${origin}/begun`, { dispatcher: d, signal: controller.signal })
    controller.abort()
    return response.text().catch(nameOf)
  },
  'EventSource': async (d, origin) => {
    const source = new undici.EventSource(`${origin}/events`, { node: { dispatcher: d } })
    const [event] = await once(source as unknown as EventEmitter, 'tide') as [MessageEvent]
    source.close()
    return [event.data as unknown, event.lastEventId]
  },
  'WebSocket': async (d, origin) => {
    const socket = new undici.WebSocket(`${origin.replace('http', 'ws')}/ws`, { dispatcher: d })
    const [event] = await once(socket as unknown as EventEmitter, 'message') as [MessageEvent]
    socket.close()
    return event.data as unknown
  },
  'a signal that has fired': (d, origin) => seen(d.request(get(origin, '/echo', { signal: AbortSignal.abort(reason) }))),
  'a signal that fires before the response': async (d, origin, { waiting }) => {
    const controller = new AbortController()
    const sent = seen(d.request(get(origin, '/never', { signal: controller.signal })))
    await eventually(() => waiting.length === 1)
    controller.abort(reason)
    return sent
  },
  'an emitter that fires in the body': async (d, origin) => {
    const signal = new EventEmitter()
    const { body } = await d.request(get(origin, '/begun', { signal }))
    signal.emit('abort')
    return body.text().catch(nameOf)
  },
  'a body that is dumped, and one destroyed': async (d, origin) => {
    const one = await d.request(get(origin, '/trailers'))
    await one.body.dump()
    const two = await d.request(get(origin, '/begun'))
    two.body.on('error', () => {}).destroy()
    return seen(d.request(get(origin, '/trailers')))
  },
  'interim responses': async (d, origin) => {
    const infos: unknown[] = []
    const response = await seen(d.request(get(origin, '/hints', { onInfo: (info: object) => { infos.push(info) } })))
    return [infos, response]
  },

  // What a handler is told, word for word.
  'a handler': (d, origin) => told(d, { origin }),
  'a handler of HEAD': (d, origin) => told(d, { origin, method: 'HEAD' }),
  'a handler of interim responses': (d, origin) => told(d, { origin, path: '/hints' }),
  'a handler of an upgrade': (d, origin) =>
    told(d, { origin, path: '/up', upgrade: 'echo' }, { onRequestUpgrade: (_c, _s, _h, socket) => { socket.destroy() } }),
  'a handler that throws at the start': (d, origin) => told(d, { origin }, { onRequestStart: throwing }),
  'a handler that throws at the headers': (d, origin) => told(d, { origin }, { onResponseStart: throwing }),
  'a handler that throws at data': (d, origin) => told(d, { origin }, { onResponseData: throwing }),
  'a handler that throws at the end': (d, origin) => told(d, { origin }, { onResponseEnd: throwing }),
  'a handler that throws at an upgrade': (d, origin) =>
    told(d, { origin, path: '/up', upgrade: 'echo' }, { onRequestUpgrade: throwing }),
  'a handler that aborts at the start': (d, origin) => told(d, { origin }, { onRequestStart: c => { c.abort(reason) } }),
  'a handler that aborts at the headers': (d, origin) => told(d, { origin }, { onResponseStart: c => { c.abort(reason) } }),
  'a handler that aborts at data': (d, origin) => told(d, { origin }, { onResponseData: c => { c.abort(reason) } }),
  'a handler that aborts at the end': (d, origin) => told(d, { origin }, { onResponseEnd: c => { c.abort(reason) } }),
  'a handler that aborts for no reason': (d, origin) =>
    told(d, { origin }, { onResponseStart: c => { (c.abort as () => void)() } }),
  'a handler that aborts twice hears of it once, at once': async (d, origin) => {
    const order: unknown[] = []
    await told(d, { origin }, {
      onResponseStart: c => {
        c.abort(reason)
        c.abort(new Error('again'))
        order.push('after', c.aborted, c.reason === reason)
      },
      onResponseError: (_c, error) => { order.push(nameOf(error), error === reason) },
    })
    return order
  },
  'a handler that pauses and resumes': async (d, origin) => {
    const order: unknown[] = []
    await told(d, { origin, path: '/big' }, {
      onResponseStart: c => {
        c.pause()
        order.push(c.paused)
        setImmediate(() => {
          order.push('resumed')
          c.resume()
        })
      },
      onResponseData: () => { if (order.at(-1) !== 'data') order.push('data') },
    })
    return order
  },
  'what is said of the body sent': async (d, origin) => {
    const order: unknown[] = []
    await told(d, { origin, path: '/echo', method: 'PUT', body: Readable.from(['one ', 'two']) }, {
      onBodySent: chunk => { order.push(String(chunk)) }, onRequestSent: () => { order.push('sent') },
      onResponseStarted: () => { order.push('started') }, onResponseStart: () => { order.push('headers') },
    })
    return order
  },

  // What is refused.
  'no handler': async (d, origin) => {
    try { d.dispatch(get(origin, '/'), null as never) } catch (error) { return nameOf(error) }
    return 'nothing'
  },
  'a handler that can’t be told': async (d, origin) => {
    try { d.dispatch({ ...get(origin, '/'), path: 7 as never }, {}) } catch (error) { return nameOf(error) }
    return 'nothing'
  },
  'a handler that lacks a method': (d, origin) => told(d, { origin }, {}).then(() =>
    ['onRequestStart', 'onResponseStart', 'onResponseData', 'onResponseEnd', 'onBodySent'].map(name => {
      const errors: unknown[] = []
      const onResponseError = (_controller: unknown, error: Error): void => { errors.push(error.message) }
      const broken = { ...recorder(), [name]: 7, onResponseError }
      d.dispatch(get(origin, '/trailers'), broken)
      return errors
    })),
  'options that make no sense': async (d, origin) => {
    const all: unknown[] = []
    for (const wrong of [
      { origin: undefined }, { origin: '' }, { origin: 'nonsense' }, { origin: `${origin}/path` },
      { path: undefined }, { path: 'no-slash' }, { path: '/a b' }, { method: 7 }, { method: 'G T' },
      { headers: 'x' }, { headers: ['odd'] }, { headers: { 'a b': '1' } },
      { headers: { a: '1\r\nb: 2' } }, { headers: { 'transfer-encoding': 'chunked' } }, { headers: { expect: '100-continue' } },
      { headers: new Set(['ab']) }, { headers: { 'content-length': 'x' } }, { body: 7 }, { upgrade: 7 }, { headersTimeout: -1 },
      { bodyTimeout: 'x' }, { reset: 1 }, { expectContinue: 1 }, { throwOnError: true }, { maxRedirections: 1 },
      { typeOfService: 999 }, { dispatcher: {} },
    ]) all.push([Object.keys(wrong)[0], await told(d, { origin, ...wrong })])
    return all
  },
  'bodies that cannot be sent': async (d, origin, { requests }) => {
    const all: unknown[] = []
    for (const body of [
      { hello: 'world' }, /a/, new Date(0), new (class Odd { x = 1 })(), true, () => 'x', new Promise(() => {}), { pipe: 1 },
      { [Symbol.toStringTag]: 'Blob' }, { [Symbol.toStringTag]: 'FormData' }, new SharedArrayBuffer(1),
      { [Symbol.iterator]: 1 },
    ]) all.push(await told(d, { origin, path: '/echo', method: 'PUT', body }))
    return [all, requests]
  },
  'a body that is longer than announced': (d, origin) =>
    seen(d.request(put(origin, 'four', headersOf({ 'content-length': '3' })))),
  'a stream that fails': async (d, origin) => {
    const body = Readable.from((async function* () {
      yield 'one '
      throw new RangeError('torn')
    })())
    return [await seen(d.request(put(origin, body))), body.destroyed]
  },
  'an iterable that fails': (d, origin) => seen(d.request(put(origin, (async function* () {
    yield 'one '
    throw new RangeError('torn')
  })()))),

  // What fails.
  'a connection refused': async d => {
    const port = await closedPort()
    return seen(d.request(get(port.url, '/'))).finally(() => port[Symbol.asyncDispose]())
  },
  'a connection reset': (d, origin) => seen(d.request(get(origin, '/reset'))),
  'a name that does not exist': d => seen(d.request(get('http://does-not-exist.invalid', '/'))),
  'headers that do not come in time': (d, origin) => seen(d.request(get(origin, '/never', { headersTimeout: 20 }))),
  'a body that is cut short': (d, origin) => told(d, { origin, path: '/truncated' }),
  'a body that stands still': async (d, origin) => {
    const { body } = await d.request(get(origin, '/begun', { bodyTimeout: 20 }))
    return body.text().catch(nameOf)
  },

  // Its life.
  'a closed dispatcher': async (d, origin) => {
    const before = seen(d.request(get(origin, '/trailers')))
    const closed = d.close()
    const late = await seen(d.request(get(origin, '/echo')))
    const done = await (closed as Promise<unknown>)
    return [late, await before, done, asAgent(d).closed, asAgent(d).destroyed]
  },
  'closed twice, and with a callback': async d => {
    await d.close()
    return [await new Promise(resolve => { d.close(resolve as () => void) }), await d.close().catch(nameOf)]
  },
  'a destroyed dispatcher': async (d, origin, { waiting }) => {
    const before = seen(d.request(get(origin, '/never')))
    await eventually(() => waiting.length === 1)
    const destroyed = d.destroy()
    const done = await (destroyed as Promise<unknown>)
    return [await before, done, await seen(d.request(get(origin, '/echo'))), asAgent(d).destroyed]
  },
  'destroyed with an error, and a callback': async (d, origin, { waiting }) => {
    const before = seen(d.request(get(origin, '/never')))
    await eventually(() => waiting.length === 1)
    return [await new Promise(resolve => { d.destroy(new RangeError('mine'), resolve as () => void) }), await before]
  },
  'events': async (d, origin) => {
    const events: unknown[] = []
    for (const event of ['connect', 'disconnect'] as const) {
      d.on(event as 'connect', (from, targets) => {
        events.push([event, from instanceof URL && from.origin === origin, targets[0] === d, targets.length])
      })
    }
    await seen(d.request(get(origin, '/echo', { reset: true })))
    await eventually(() => events.length === 2)
    return events
  },
  'the event of a connection that fails': async d => {
    const port = await closedPort()
    const told = once(d, 'connectionError') as Promise<[URL, unknown[], Error & { code?: string }]>
    await seen(d.request(get(port.url, '/')))
    const [from, targets, error] = await told
    await port[Symbol.asyncDispose]()
    return [from.origin === port.url, targets[0] === d, error.code]
  },
  'stats': async (d, origin, { waiting }) => {
    const sent = d.request(get(origin, '/never'))
    await eventually(() => waiting.length === 1)
    const stats = JSON.stringify(asAgent(d).stats[origin])
    waiting[0]!.end()
    await (await sent).body.dump()
    return stats
  },

  // What is composed on top.
  'compose()': async (d, origin) => {
    const order: unknown[] = []
    const interceptor = (name: string) => (dispatch: Dispatcher.Dispatch): Dispatcher.Dispatch => (options, handler) => {
      order.push([name, String(options.origin) === origin])
      return dispatch({ ...options, headers: { 'x-by': name } }, handler)
    }
    const composed = d.compose(interceptor('inner'), interceptor('outer'))
    return [await seen(composed.request(get(origin, '/echo'))), order, composed instanceof undici.Dispatcher]
  },
  'a composed dispatcher is closed, and destroyed': async (d, origin) => {
    const composed = d.compose(dispatch => (options, handler) => dispatch(options, handler))
    await composed.close()
    await composed.destroy()
    const late = await seen(composed.request(get(origin, '/echo')))
    return [late, asAgent(composed).closed, asAgent(composed).destroyed]
  },
  'the redirect interceptor': async (d, origin) =>
    seen(d.compose(undici.interceptors.redirect({ maxRedirections: 2 })).request(get(origin, '/redirect'))),
  'the decompress interceptor': async (d, origin) =>
    seen(d.compose(undici.interceptors.decompress()).request(get(origin, '/gzip'))),
  'the responseError interceptor': async (d, origin) =>
    seen(d.compose(undici.interceptors.responseError()).request(get(origin, '/404'))),
  'the dump interceptor': async (d, origin) => seen(d.compose(undici.interceptors.dump()).request(get(origin, '/echo'))),
  'the retry interceptor': async (d, origin) =>
    seen(d.compose(undici.interceptors.retry({ maxRetries: 1, minTimeout: 1, maxTimeout: 1 })).request(get(origin, '/echo'))),
  'the cache interceptor': async (d, origin, { requests }) => {
    const cached = d.compose(undici.interceptors.cache())
    const one = await (await cached.request(get(origin, '/cached'))).body.text()
    const two = await (await cached.request(get(origin, '/cached'))).body.text()
    return [one, two, requests]
  },
  'the dns interceptor': async (d, origin) => {
    const lookup = (_origin: unknown, _options: unknown, done: (error: null, found: object[]) => void): void => {
      done(null, [{ address: '127.0.0.1', family: 4, ttl: 1_000 }])
    }
    const named = d.compose(undici.interceptors.dns({ lookup } as object))
    return seen(named.request(get(`http://orders.test:${new URL(origin).port}`, '/trailers')))
  },
  'a RetryAgent around it': (d, origin) => seen(new undici.RetryAgent(d).request(get(origin, '/echo'))),
}

conform(CASES, { startsAtOnce: new Set(['options that make no sense', 'bodies that cannot be sent']) })
