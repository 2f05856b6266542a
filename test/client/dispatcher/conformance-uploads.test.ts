import { PassThrough, Readable, Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import type { Dispatcher } from 'undici'
import { closedPort } from '../../support/hostile.ts'
import { eventually } from '../../support/check.ts'
import { conform, type Case } from '../../support/conformance.ts'
import { nameOf, recorder } from '../../support/dispatching.ts'

/* What becomes of a request body whose request fails, over an Agent and over ours. */

type Run = (body: PassThrough, d: Dispatcher, origin: string, peer: Parameters<Case>[2]) => Promise<unknown>

/** What the request ends with, and what a pipeline that feeds its body hears. */
const fed = (run: Run): Case => async (d, origin, peer) => {
  const body = new PassThrough()
  const source = new Readable({ read() {} })
  source.push('begun')
  const heard = pipeline(source, body).then(() => 'whole', nameOf)
  const ended = await run(body, d, origin, peer).then(() => 'answered', nameOf)
  return [ended, await heard, body.destroyed, source.destroyed]
}

const put = (origin: string, path: string, body: Readable, more = {}): Dispatcher.RequestOptions =>
  ({ origin, path, method: 'PUT', body, ...more })
const reason = new RangeError('enough')

const CASES: Record<string, Case> = {
  'a body whose connection is reset': fed((body, d, origin) => d.request(put(origin, '/reset', body))),
  'a body whose connection is refused': fed(async (body, d) => {
    const port = await closedPort()
    return d.request(put(port.url, '/', body)).finally(() => port[Symbol.asyncDispose]())
  }),
  'a body whose request is aborted': fed(async (body, d, origin, { waiting }) => {
    const controller = new AbortController()
    const sent = d.request(put(origin, '/never', body, { signal: controller.signal }))
    await Promise.race([sent, eventually(() => waiting.length === 1).then(() => { controller.abort(reason) })])
    return sent
  }),
  'a body whose request was aborted before': fed((body, d, origin) =>
    d.request(put(origin, '/never', body, { signal: AbortSignal.abort(reason) }))),
  'a body whose dispatcher is destroyed': fed(async (body, d, origin, { waiting }) => {
    const sent = d.request(put(origin, '/never', body))
    sent.catch(() => {})
    await eventually(() => waiting.length === 1)
    await d.destroy(reason)
    return sent
  }),
  'a body whose request is refused': fed((body, d, origin) => d.request(put(origin, '/a b', body))),
  'a body of stream()': fed((body, d, origin) =>
    d.stream(put(origin, '/reset', body), () => new Writable({ write(_chunk, _encoding, done) { done() } }))),
  'what is written to a pipeline()': async (d, origin) => {
    const through = d.pipeline({ origin, path: '/reset', method: 'PUT' }, ({ body }) => body)
    through.write('begun')
    return finished(through).then(() => 'whole', nameOf)
  },
  'a body that no one listens to': async (d, origin) => {
    const body = new Readable({ read() {} })
    body.push('begun')
    const handler = recorder()
    d.dispatch({ ...put(origin, '/reset', body) }, handler)
    await handler.done
    await eventually(() => body.destroyed)
    return handler.seen
  },
  'a body that its caller destroys': fed(async (body, d, origin, { waiting }) => {
    const sent = d.request(put(origin, '/never', body))
    sent.catch(() => {})
    await eventually(() => waiting.length === 1)
    body.destroy(reason)
    return sent
  }),
}

conform(CASES)
