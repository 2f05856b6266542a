import { PassThrough } from 'node:stream'
import { Call } from '../../src/call/call.ts'
import type { CallSettings } from '../../src/call/settings.ts'
import type { Body } from '../../src/http/body.ts'
import { Circuit } from '../../src/upstream/circuit/circuit.ts'
import type { Env } from '../../src/clock.ts'
import { Endpoint } from '../../src/upstream/endpoints/endpoint.ts'
import { Endpoints } from '../../src/upstream/endpoints/endpoints.ts'
import { ConnectionError } from '../../src/outcome/errors.ts'
import type { Send } from '../../src/call/layer.ts'
import type { BreakerOptions } from '../../src/options/breaker-options.ts'
import { DEFAULTS, type BreakerPolicy, type Policy } from '../../src/options/policy.ts'
import type { BudgetOptions } from '../../src/options/retry-options.ts'
import type { Priority, UpstreamOptions } from '../../src/options/upstream-options.ts'
import type { UpstreamState } from '../../src/upstream/of-call.ts'
import { callPipeline } from '../../src/pipeline.ts'
import { Budget } from '../../src/upstream/retry-budget.ts'
import { Limit } from '../../src/upstream/limit/limit.ts'
import type { Permits } from '../../src/upstream/limit/permits.ts'
import { resolve } from '../../src/options/resolve.ts'
import type { Pool } from '../../src/transport/pool.ts'
import { verdictOfStatus, type Verdict } from '../../src/outcome/verdict.ts'
import { isIdempotent } from '../../src/http/methods.ts'
import { Reply, type ReplyHeaders } from '../../src/outcome/reply.ts'
import { Completion } from '../../src/call/completion.ts'
import { BackingOff } from '../../src/call/backing-off.ts'
import { Trace } from '../../src/outcome/trace.ts'

/** What a test may say about a call; the rest is a plain GET with the default policy. */
export interface CallSetup {
  readonly method?: string
  readonly body?: Body
  readonly streamed?: boolean
  readonly signal?: AbortSignal
  readonly idempotencyKey?: string
  readonly priority?: Priority
  /** What the layers under test find of its upstream. */
  readonly parts?: object
  /** Its endpoint, where no route has been before. */
  readonly endpoint?: object
  /** Options of its upstream. */
  readonly options?: UpstreamOptions
  /** The policy of its upstream, where several calls share one. */
  readonly policy?: Policy
}

/** The options of an upstream, completed. */
export const policyOf = (options: UpstreamOptions = {}): Policy => resolve([options])

/** The options of a breaker, completed. */
export const breakerPolicy = (breaker: BreakerOptions = {}): BreakerPolicy => policyOf({ breaker }).breaker as BreakerPolicy

/** A call that begins now. */
export const callAt = (env: Env, setup: CallSetup = {}): Call => {
  const { method = 'GET', body, streamed = false, signal, idempotencyKey } = setup
  const policy = setup.policy ?? policyOf(setup.options)
  const { deadline, attemptTimeout, retry, maxBodySize } = policy
  const settings: CallSettings = {
    policy, streamed, decode: true, throwOnStatus: true, deadline, attemptTimeout, retry, maxBodySize,
    priority: setup.priority ?? policy.priority, hedge: policy.hedge,
    idempotent: isIdempotent(method, idempotencyKey !== undefined, retry === false ? [] : retry.methods),
  }
  const target = '/things?secret=1'
  const trace = new Trace('orders', method, target, env.clock.now())
  const call = new Call({ upstream: setup.parts ?? {}, settings, trace, target, headers: undefined, body, signal })
  call.endpoint = setup.endpoint
  return call
}

/** A reply as the wire gives it: nobody has judged it yet. */
export const replyOf = (status = 200, headers: ReplyHeaders = {}): Reply => new Reply(status, headers)

/** A reply as the attempt layer hands it up, with what it proves; `retryAfter` in ms. */
export const judged = (status = 200, retryAfter?: number): Reply => {
  const reply = replyOf(status)
  reply.retryAfter = retryAfter
  reply.verdict = verdictOfStatus(status, retryAfter !== undefined)
  return reply
}

/** A judged reply whose body is still coming; `end` tells how that went. */
export const streaming = (status = 200): { reply: Reply; end: (error?: unknown) => void } => {
  const body = new PassThrough()
  const reply = new Reply(status, {}, body)
  reply.verdict = verdictOfStatus(status, false)
  // As the pool does it: a reader who gives up ends the reply without an error.
  body.once('close', () => { reply.end() })
  return { reply, end: error => { reply.end(error) } }
}

/** The upstream does not listen: never sent. */
export const refused = (call: Call): ConnectionError =>
  new ConnectionError(call.trace, 'ECONNREFUSED', { sent: 'never', blame: 'upstream', cause: new Error('connect ECONNREFUSED') })

/** The connection broke while the call was in flight: who knows how far it came. */
export const reset = (call: Call): ConnectionError =>
  new ConnectionError(call.trace, 'ECONNRESET', { sent: 'maybe', blame: 'upstream', cause: new Error('read ECONNRESET') })

/** A kept-alive connection turned out to be closed. */
export const stale = (call: Call): ConnectionError =>
  new ConnectionError(call.trace, 'ECONNRESET', { sent: 'maybe', blame: 'nobody', cause: new Error('read ECONNRESET') })

/** This process has no descriptors left. */
export const exhausted = (call: Call): ConnectionError =>
  new ConnectionError(call.trace, 'EMFILE', { sent: 'never', blame: 'process', cause: new Error('EMFILE') })

/** Ends as the pool does when the call is cancelled or its attempt interrupted, whatever `send` does then. */
export const interruptible = (send: Send): Send => call => {
  const exchange = new Completion(call)
  let isOver = false
  const end = (error?: unknown): void => {
    if (isOver) return
    isOver = true
    call.waitFor(undefined)
    exchange.ended(error)
  }
  call.phase = 'headers'
  call.waitFor({ stop: end })
  send(call).then(reply => {
    if (isOver) return
    exchange.replied(reply)
    exchange.deliver()
    reply.whenEnded(end)
  }, end)
  return exchange.promise
}

/** A pool that is no more than its `send`. */
const poolOf = (send: Send): Pool =>
  ({ send, passthrough: () => false, stats: undefined, close: async () => {}, destroy: async () => {} })

/** An endpoint whose pool is `send`; its circuit follows `breaker`. */
export const endpointOf = (env: Env, send: Send, breaker: BreakerOptions | false = {}, origin = 'http://a.test'): Endpoint => {
  const circuit = breaker === false ? undefined : new Circuit(breakerPolicy(breaker), env, () => undefined)
  return new Endpoint(origin, poolOf(send), circuit)
}

/** Every layer of one upstream, from the deadline down to a pool played by the test. */
export interface Assembly {
  readonly policy: Policy
  readonly parts: UpstreamState
  readonly permits: Permits
  readonly capacity: Limit
  readonly budget: Budget
  /** The circuit of its first endpoint. */
  readonly circuit: Circuit
  readonly endpoints: Endpoints
  /** Calls that wait for their next attempt. */
  readonly backingOff: BackingOff
  /** State changes of its circuits, as `closed > open`. */
  readonly changes: readonly string[]
  /** Makes a call and sends it down; `made` sees it before. */
  call(setup?: CallSetup, made?: (call: Call) => void): Promise<Reply>
  send(call: Call): Promise<Reply>
}

/** Stacks the layers as an upstream does, each endpoint on its own pool; `pools` end when a call is ended. */
export const assemble = (env: Env, options: UpstreamOptions, ...pools: Send[]): Assembly => {
  const policy = policyOf(options)
  const changes: string[] = []
  const budget = new Budget(policy.retry === false ? DEFAULTS.retry.budget : policy.retry.budget)
  const endpoints = new Endpoints(pools.map((pool, index) => {
    const circuit = policy.breaker === false ? undefined
      : new Circuit(policy.breaker, env, (from, to) => changes.push(`${from} > ${to}`))
    const made = poolOf(interruptible(pool))
    return new Endpoint(`http://${'abc'[index] ?? 'z'}.test`, made, circuit)
  }), env)
  const capacity = new Limit(policy.limit, endpoints)
  const { permits } = capacity
  const backingOff = new BackingOff()
  const parts: UpstreamState = { budget, capacity, endpoints, backingOff, latencies: undefined }
  const send = callPipeline(env)
  return {
    policy, parts, permits, capacity, budget, endpoints, backingOff, changes, send,
    get circuit(): Circuit { return endpoints.all[0]!.circuit! },
    call(setup, made): Promise<Reply> {
      const call = callAt(env, { policy, parts, ...setup })
      made?.(call)
      const sent = send(call)
      // As the client does it: what the deadline holds is let go of at the end of the body.
      sent.then(reply => { reply.whenEnded(() => { call.over() }) }, () => { call.over() })
      return sent
    },
  }
}

/** The options of a budget, completed. */
export const budgetPolicy = (budget: BudgetOptions = {}): Required<BudgetOptions> => ({ ...DEFAULTS.retry.budget, ...budget })

/** Lets one call through a circuit and settles it at once; false if it was refused. */
export const pass = (circuit: Circuit, verdict: Verdict, now: number, latency = 1): boolean => {
  const admission = circuit.admit(now)
  if (admission === 0) circuit.refuse()
  else circuit.settle(admission, verdict, latency, now)
  return admission !== 0
}

/** The outcome of a call, once it has one: for tests that look at it more than once. */
export const outcome = (sent: Promise<Reply>): { reply?: Reply; error?: unknown; readonly settled: number } => {
  const seen: { reply?: Reply; error?: unknown; settled: number } = { settled: 0 }
  sent.then(
    reply => { seen.reply = reply; seen.settled++ },
    (error: unknown) => { seen.error = error; seen.settled++ },
  )
  return seen
}
