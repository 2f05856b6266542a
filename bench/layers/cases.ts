import type { Dispatcher } from 'undici'
import { createClient, type Client, type ClientOptions, type DispatcherLike, type UpstreamOptions } from '../../src/index.ts'
import type { Guarded, GuardOptions } from '../contenders/guard.ts'
import type { Exchange } from '../contenders/undici.ts'
import { systemEnv } from '../../src/clock.ts'
import { NoopTransport, silentTransport } from './transport.ts'

/** One call; what is measured. Rejections are part of it. */
export type Probe = () => Promise<unknown>

const URL = 'http://service.internal/invoices/7'
const FAILED = { status: 502, body: Buffer.from('bad gateway') }

const clientOver = (transport: DispatcherLike, options: ClientOptions = {}): Client =>
  createClient({ ...options, pool: { factory: () => transport } })

/** Settled either way, at the same small cost for all. */
const ignore = (): undefined => undefined
const settled = (promise: Promise<unknown>): Promise<unknown> => promise.then(ignore, ignore)

/** The transport alone, driven by the least handler that can tell of the end. */
function transportAlone(): Probe {
  const transport = new NoopTransport()
  class Handler implements Dispatcher.DispatchHandler {
    readonly #resolve: (value: undefined) => void
    constructor(resolve: (value: undefined) => void) {
      this.#resolve = resolve
    }

    onRequestStart(): void {}
    onResponseStart(): void {}
    onResponseData(): void {}
    onResponseEnd(): void {
      this.#resolve(undefined)
    }

    onResponseError(): void {}
  }
  return () => settled(new Promise<undefined>(resolve => { transport.dispatch(undefined, new Handler(resolve)) }))
}

/** A circuit that an outage has opened, as defaults have it: now and then a probe goes through and fails. */
async function openCircuit(): Promise<Probe> {
  const client = clientOver(new NoopTransport(FAILED), { retry: false })
  const probe = (): Promise<unknown> => settled(client.get(URL))
  for (let call = 0; call < 100; call++) await probe()
  if (client.explain(URL).snapshot?.endpoints[0]?.circuit !== 'open') throw new Error('the circuit is not open')
  return probe
}

/** Nearly every call fails, in a window kept full, of a circuit that takes that much. */
async function failing(send: (client: Client) => Promise<unknown>, retry: UpstreamOptions): Promise<Probe> {
  const transport = new NoopTransport(FAILED, 20)
  const client = clientOver(transport, { ...retry, breaker: { consecutive: 1e6, failureRate: 1 } })
  const probe = (): Promise<unknown> => settled(send(client))
  for (let round = 0; round < 200; round++) await Promise.all(Array.from({ length: 50 }, probe))
  if (transport.requests !== 10_000) throw new Error('not every failing call was sent: is the circuit open?')
  return probe
}

/**
 * One call in flight and one that waits, which is all there is room for: each further call has one of them refused, it
 * or the one that waits.
 */
function fullQueue(): Probe {
  // No timers: a limit that is stuck for a second would let one more call in.
  const clock = { now: () => systemEnv.clock.now(), after: () => ({ cancel: ignore }), stalledAt: -Infinity }
  const env = { clock, random: systemEnv.random }
  const client = clientOver(silentTransport, { deadline: 3_600_000, limit: { max: 1, queue: 1 }, env })
  const refusals: (() => void)[] = []
  const refused = (): void => { refusals.pop()?.() }
  const call = (): void => { void client.get(URL).then(ignore, refused) }
  call()
  call()
  return () => new Promise<void>(resolve => {
    refusals.push(resolve)
    call()
  })
}

type Guard = (exchange: Exchange, options: GuardOptions) => Promise<Guarded>
const opossum = async (): Promise<Guard> => (await import('../contenders/opossum.ts')).opossumGuard
const cockatiel = async (): Promise<Guard> => (await import('../contenders/cockatiel.ts')).cockatielGuard

/** A peer's protection around an exchange that answers in the next turn. */
async function guarded(guard: Promise<Guard>): Promise<Probe> {
  const transport = new NoopTransport()
  const reply = { statusCode: 200 } as Dispatcher.ResponseData
  const exchange: Exchange = () => new Promise(resolve => {
    transport.dispatch(undefined, { onResponseEnd: () => { resolve(reply) } })
  })
  const { exchange: call } = await (await guard)(exchange, { timeout: 10_000, retries: 3 })
  return () => settled(call('/'))
}

/** A peer's circuit that failures have opened. */
async function guardedOpen(guard: Promise<Guard>): Promise<Probe> {
  const { exchange: call } = await (await guard)(() => Promise.reject(new Error('bad gateway')), { timeout: 10_000, retries: 0 })
  for (let round = 0; round < 100; round++) await settled(call('/'))
  return () => settled(call('/'))
}

const layer = (name: string) => async (): Promise<Probe> => {
  const { LAYERS, newCall } = await import('./parts.ts')
  const send = LAYERS[name]?.()
  if (send === undefined) throw new Error(`no layer is called ${name}`)
  return () => settled(send(newCall()))
}

async function noLayer(): Promise<Probe> {
  const { newCall, noopNext } = await import('./parts.ts')
  return () => settled(noopNext(newCall()))
}

async function refusingBreaker(): Promise<Probe> {
  const { newCall, openBreaker } = await import('./parts.ts')
  const send = openBreaker()
  return () => settled(send(newCall()))
}

/** What is measured, and what of it is only the frame it was measured in. */
export interface Case {
  /** The case whose cost is not this one's own. */
  readonly above?: string
  make(): Probe | Promise<Probe>
}

/** The stack as a whole, from `client.get()` on. */
export const STACK: Readonly<Record<string, Case>> = {
  'transport alone': { make: transportAlone },
  'client.get': {
    above: 'transport alone',
    make: () => {
      const client = clientOver(new NoopTransport())
      return () => settled(client.get(URL))
    },
  },
  'client.get().json': {
    above: 'transport alone',
    make: () => {
      const client = clientOver(new NoopTransport())
      return () => settled(client.get(URL).json())
    },
  },
  'refusal, circuit open': { make: openCircuit },
  'refusal, queue full': { make: fullQueue },
  'failing call, full window': {
    above: 'transport alone', make: () => failing(client => client.post(URL), {}),
  },
  'failing call, retries off': {
    above: 'transport alone', make: () => failing(client => client.get(URL), { retry: false }),
  },
  'opossum + p-retry': { above: 'transport alone', make: () => guarded(opossum()) },
  'cockatiel ×4': { above: 'transport alone', make: () => guarded(cockatiel()) },
  'opossum + p-retry, refusal': { make: () => guardedOpen(opossum()) },
  'cockatiel ×4, refusal': { make: () => guardedOpen(cockatiel()) },
}

/** Each layer alone. */
export const SINGLE: Readonly<Record<string, Case>> = {
  'no layer': { make: noLayer },
  ...Object.fromEntries(['deadline', 'retry', 'limit', 'balance', 'breaker', 'attempt']
    .map(name => [name, { above: 'no layer', make: layer(name) }])),
  'breaker, circuit open': { above: 'call alone', make: refusingBreaker },
  'call alone': {
    make: async () => {
      const { newCall } = await import('./parts.ts')
      const refusal = new Error('refused')
      return () => settled(new Promise((_resolve, reject) => {
        newCall()
        queueMicrotask(() => { reject(refusal) })
      }))
    },
  },
}
