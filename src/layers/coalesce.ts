import { AsyncLocalStorage } from 'node:async_hooks'
import type { Env } from '../clock.ts'
import { DeadlineExceededError, StatusError, UpstreamError } from '../outcome/errors.ts'
import { channels } from '../events.ts'
import type { Perform } from '../upstream/perform.ts'
import { hasKeylessFields, isPersonal } from '../http/freshness.ts'
import { mergedFields, requestKey } from '../http/request-key.ts'
import { isSafe } from '../http/methods.ts'
import type { Reply } from '../outcome/reply.ts'
import { within, withOptions, type Request } from '../call/request.ts'
import { cloneError } from '../outcome/clone-error.ts'
import { Trace } from '../outcome/trace.ts'
import { DURING } from '../outcome/upstream-error.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { armTimeoutAndAbort } from '../call/wait.ts'

/**
 * Lets identical GETs and HEADs that are in flight at the same time share one call, a flight. No caller owns the flight: a caller
 * that aborts, or whose deadline passes, leaves it, and it ends early only when all callers have left.
 */
export function coalesce(next: Perform): Perform {
  /** The flights of each upstream that can be joined: at most as many as it has calls in flight. */
  const joinable = new WeakMap<Upstream, Map<string, Flight>>()
  /** Upstreams whose last call had header fields of listeners that may differ between callers: their calls share nothing. */
  const personal = new WeakSet<Upstream>()

  const learn = (upstream: Upstream, { added }: Reply): void => {
    if (hasKeylessFields(added)) personal.add(upstream)
    else personal.delete(upstream)
  }

  const flightsOf = (upstream: Upstream): Map<string, Flight> => {
    const flights = joinable.get(upstream) ?? new Map<string, Flight>()
    joinable.set(upstream, flights)
    return flights
  }

  const perform: Perform = (upstream, request) => {
    if (!upstream.policy.coalesce) return next(upstream, request)
    if (!isSafe(request.method)) {
      // A caller must see its own change, so reads that started before it are not joined any more.
      return next(upstream, request).finally(() => { joinable.delete(upstream) })
    }
    if (!canShare(request)) return next(upstream, request)
    if (personal.has(upstream)) {
      return next(upstream, request).then(reply => {
        learn(upstream, reply)
        return reply
      })
    }
    const flights = flightsOf(upstream)
    const key = keyOf(upstream, request)
    const caller = new Caller(upstream, request)
    const existing = flights.get(key)
    if (existing !== undefined) return existing.join(caller)
    const flight: Flight = new Flight(caller, perform, next, () => {
      // After all callers have left, another flight may have started with the same key.
      if (flights.get(key) === flight) flights.delete(key)
    })
    const sent = next(upstream, withOptions(request, { signal: flight.signal }))
    flights.set(key, flight)
    sent.then(
      reply => {
        learn(upstream, reply)
        flight.succeed(reply)
      },
      (error: unknown) => {
        if (error instanceof StatusError) learn(upstream, error.reply)
        flight.fail(error)
      },
    )
    return flight.join(caller)
  }
  return perform
}

const canShare = ({ method, streamed, body, options: { coalesce, signal } }: Request): boolean =>
  !streamed && (method === 'GET' || method === 'HEAD') && body === undefined && coalesce !== false && signal?.aborted !== true

/** The key of a request: equal for identical requests with the same options; deadline and signal may differ. */
function keyOf(upstream: Upstream, { method, target, headers, options }: Request): string {
  const { headers: _1, query: _2, signal: _3, deadline: _4, redirects: _5, fallback: _6, stale: _7, ...others } = options
  const fields = mergedFields(upstream.policy.headers, headers)
  return `${method} ${requestKey(upstream.name, target, fields)}\n${JSON.stringify(others)}`
}

/** A caller that waits for a flight. */
class Caller {
  readonly upstream: Upstream
  readonly request: Request
  readonly startedAt: number
  readonly deadlineAt: number
  /** Runs a function in the caller's own async context, as a request that it sends later is not that of the first caller. */
  readonly inContext: ReturnType<typeof AsyncLocalStorage.snapshot> = AsyncLocalStorage.snapshot()
  resolve: (reply: Reply | Promise<Reply>) => void = () => undefined
  reject: (error: unknown) => void = () => undefined
  /** Disarms its timeout and abort signal. */
  disarm: () => void = () => undefined

  constructor(upstream: Upstream, request: Request) {
    this.upstream = upstream
    this.request = request
    this.startedAt = this.env.clock.now()
    this.deadlineAt = this.startedAt + (request.options.deadline ?? upstream.policy.deadline)
  }

  get env(): Env {
    return this.upstream.env
  }

  trace(): Trace {
    return new Trace(this.upstream.name, this.request.method, this.request.target, this.startedAt)
  }

  get left(): number {
    return this.deadlineAt - this.env.clock.now()
  }
}

/** A call in flight and the callers that wait for it. */
class Flight {
  readonly #first: Caller
  readonly #perform: Perform
  readonly #alone: Perform
  readonly #onOver: () => void
  readonly #callers = new Set<Caller>()
  readonly #controller = new AbortController()

  /**
   * @param perform - performs the request of a caller whose deadline is later than the flight's.
   * @param alone - performs the request of a caller that may not have the flight's reply, and shares it with no other caller.
   * @param onOver - runs when the flight cannot be joined any more.
   */
  constructor(first: Caller, perform: Perform, alone: Perform, onOver: () => void) {
    this.#first = first
    this.#perform = perform
    this.#alone = alone
    this.#onOver = onOver
  }

  /** The signal that ends the call itself. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  join(caller: Caller): Promise<Reply> {
    this.#callers.add(caller)
    const { upstream: { name: upstream }, request: { method, options: { signal } }, env } = caller
    const isFirst = caller === this.#first
    if (!isFirst && channels.joined.hasSubscribers) channels.joined.publish({ client: env.client ?? '', upstream, method })
    // The flight has the deadline of the first caller, so that its own error reports, also to the circuit, what it waited for.
    const ms = isFirst ? Infinity : caller.left
    caller.disarm = armTimeoutAndAbort(env.clock, ms, signal, (timedOut, reason) => {
      this.#leave(caller, timedOut ? deadlineExceeded(caller) : reason)
    })
    return new Promise((resolve, reject) => {
      caller.resolve = resolve
      caller.reject = reject
    })
  }

  /** A reply that is meant for the first caller goes to that one alone; the others then send their own requests. */
  succeed(reply: Reply): void {
    const mine = isPersonal(reply)
    for (const caller of this.#removeAll()) {
      const isFirst = caller === this.#first
      if (mine && !isFirst) {
        this.#sendAlone(caller)
        continue
      }
      const own = isFirst ? reply : reply.copy()
      own.shared = !isFirst
      own.total = caller.env.clock.now() - caller.startedAt
      caller.resolve(own)
    }
  }

  /**
   * Callers that joined later may have time left when the deadline of the first one passes. They share another flight, started
   * by the caller with the latest deadline, so that they need not change flights again.
   */
  fail(error: unknown): void {
    const mine = error instanceof StatusError && isPersonal(error.reply)
    const callers = this.#removeAll().sort((a, b) => b.deadlineAt - a.deadlineAt)
    for (const caller of callers) {
      const { upstream, request, left } = caller
      if (mine && caller !== this.#first) this.#sendAlone(caller)
      else if (error instanceof DeadlineExceededError && left >= 1) {
        caller.resolve(caller.inContext(this.#perform, upstream, within(request, left)))
      } else caller.reject(caller === this.#first ? error : errorFor(caller, error, this.#first))
    }
  }

  #sendAlone(caller: Caller): void {
    const { upstream, request, left } = caller
    if (left >= 1) caller.resolve(caller.inContext(this.#alone, upstream, within(request, left)))
    else caller.reject(deadlineExceeded(caller))
  }

  #removeAll(): Caller[] {
    this.#onOver()
    const callers = [...this.#callers]
    this.#callers.clear()
    for (const caller of callers) caller.disarm()
    return callers
  }

  #leave(caller: Caller, reason: unknown): void {
    this.#callers.delete(caller)
    caller.reject(reason)
    if (this.#callers.size > 0) return
    this.#onOver()
    this.#controller.abort(reason)
  }
}

function deadlineExceeded(caller: Caller): DeadlineExceededError {
  const trace = caller.trace()
  trace.mark('joined an identical call', caller.startedAt)
  trace.mark(`deadline exceeded ${DURING['shared call']}`, caller.env.clock.now())
  const timeout = caller.deadlineAt - caller.startedAt
  return new DeadlineExceededError(trace, timeout, 'shared call', { sent: 'maybe', verdict: 'none' })
}

/** The error of the flight, with the timeline of a caller that joined it. */
function errorFor(caller: Caller, error: unknown, first: Caller): unknown {
  if (!(error instanceof UpstreamError)) return error
  const trace = caller.trace()
  trace.attempts = error.attempts
  const events = error.timeline.map(({ at, event }) => ({ at: first.startedAt + at, event }))
  const joined = { at: caller.startedAt, event: 'joined an identical call' }
  for (const { at, event } of [...events, joined].sort((a, b) => a.at - b.at)) trace.mark(event, at)
  return cloneError(error, trace)
}
