// The one place of the suite that knows the inside of the library: what a single layer needs to be run alone.
import { requestOf } from '../../src/call/request.ts'
import { Call } from '../../src/call/call.ts'
import { systemEnv } from '../../src/clock.ts'
import type { Layer, Send } from '../../src/call/layer.ts'
import { attempt } from '../../src/layers/attempt.ts'
import { breaker } from '../../src/layers/breaker.ts'
import { deadline } from '../../src/layers/deadline.ts'
import { limit } from '../../src/layers/limit.ts'
import { retry } from '../../src/layers/retry/retry.ts'
import { balance } from '../../src/layers/balance.ts'
import type { Policy } from '../../src/options/policy.ts'
import { resolve } from '../../src/options/resolve.ts'
import { ConnectionEvents } from '../../src/transport/connection-events.ts'
import { Reply } from '../../src/outcome/reply.ts'
import { Completion } from '../../src/call/completion.ts'
import { Trace } from '../../src/outcome/trace.ts'
import { Upstream } from '../../src/upstream/upstream.ts'
import { silentTransport } from './transport.ts'

const env = systemEnv
const ORIGIN = 'http://service.internal'
const REPLY = { status: 200, headers: {} }

/** The end of the stack: answers with the next turn of the event loop, and tells those who watch as the pool does. */
class Noop extends Completion {
  static #waiting: Noop[] = []
  static #answering: Noop[] = []

  constructor(call: Call) {
    super(call)
    if (Noop.#waiting.push(this) === 1) setImmediate(Noop.#turn)
  }

  static readonly #turn = (): void => {
    const now = Noop.#waiting
    Noop.#waiting = Noop.#answering
    Noop.#answering = now
    for (const noop of now) noop.#answer()
    now.length = 0
  }

  #answer(): void {
    this.replied(new Reply(REPLY.status, REPLY.headers))
    this.ended()
    // The client's part: without it the deadline would not be let go of.
    this.call.over()
  }
}

/** The end of every stack here. */
export const noopNext: Send = call => new Noop(call).promise

const policy: Policy = resolve([{ pool: { factory: () => silentTransport } }])
const upstream = new Upstream(
  { name: 'service', origins: [ORIGIN], policy, configured: false }, { env, events: new ConnectionEvents() },
)
const endpoint = upstream.endpoints.all[0]!
const settings = upstream.settings.of(requestOf('GET', { origin: ORIGIN, target: '/invoices/7' }, undefined, false))

/** A call as the client would make it of `get(url)`. */
export function newCall(): Call {
  const trace = new Trace('service', 'GET', '/invoices/7', env.clock.now())
  const init = { upstream, settings, trace, target: '/invoices/7', headers: undefined, body: undefined, signal: undefined }
  const call = new Call(init)
  call.endpoint = endpoint
  return call
}

const layers: Readonly<Record<string, () => Layer>> = {
  deadline: () => deadline(env),
  retry: () => retry(env),
  limit: () => limit(env),
  balance: () => balance,
  breaker: () => breaker(env),
  attempt: () => attempt(env),
}

/** Each layer alone over {@link noopNext}, top to bottom. */
export const LAYERS: Readonly<Record<string, () => Send>> =
  Object.fromEntries(Object.entries(layers).map(([name, make]) => [name, () => make()(noopNext)]))

/** The breaker alone while its circuit is open: it refuses. */
export function openBreaker(): Send {
  endpoint.circuit?.isolate()
  return breaker(env)(noopNext)
}
