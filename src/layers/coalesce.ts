import type { Env } from '../clock.ts'
import { DeadlineExceededError, UpstreamError } from '../outcome/errors.ts'
import { channels } from '../events.ts'
import type { Perform } from '../upstream/perform.ts'
import { mergedFields, requestKey } from '../http/request-key.ts'
import { isSafe } from '../http/methods.ts'
import type { Reply } from '../outcome/reply.ts'
import { within, withOptions, type Request } from '../call/request.ts'
import { cloneError } from '../outcome/clone-error.ts'
import { Trace } from '../outcome/trace.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { armTimeoutAndAbort } from '../call/wait.ts'

/**
 * Lets equal GETs and HEADs that are in flight at the same time share one. The flight is nobody's: a caller that gives up, or
 * whose time is over, leaves it, and it ends early only when all have left.
 */
export function coalesce(next: Perform): Perform {
  /** Those of each upstream that may still be joined: at most as many as it has calls on their way. */
  const open = new WeakMap<Upstream, Map<string, Flight>>()

  const flightsOf = (upstream: Upstream): Map<string, Flight> => {
    const found = open.get(upstream) ?? new Map<string, Flight>()
    open.set(upstream, found)
    return found
  }

  const board: Perform = (upstream, request) => {
    if (!upstream.policy.coalesce) return next(upstream, request)
    if (!isSafe(request.method)) {
      // Who has changed something must see it: what was asked for before is joined no more.
      return next(upstream, request).finally(() => { open.delete(upstream) })
    }
    if (!canShare(request)) return next(upstream, request)
    const flights = flightsOf(upstream)
    const key = keyOf(upstream, request)
    const caller = new Caller(upstream, request)
    const found = flights.get(key)
    if (found !== undefined) return found.join(caller)
    const flight: Flight = new Flight(caller, board, () => {
      // Once all have left, another one may have begun under the same key.
      if (flights.get(key) === flight) flights.delete(key)
    })
    const sent = next(upstream, withOptions(request, { signal: flight.signal }))
    flights.set(key, flight)
    sent.then(reply => { flight.land(reply) }, (error: unknown) => { flight.fail(error) })
    return flight.join(caller)
  }
  return board
}

const canShare = ({ method, streamed, body, options: { coalesce, signal } }: Request): boolean =>
  !streamed && (method === 'GET' || method === 'HEAD') && body === undefined && coalesce !== false && signal?.aborted !== true

/** Calls are equal when they ask for the same, in the same way; how long each may wait is its own affair. */
function keyOf(upstream: Upstream, { method, target, headers, options }: Request): string {
  const { headers: _1, query: _2, signal: _3, deadline: _4, redirects: _5, fallback: _6, stale: _7, ...others } = options
  const fields = mergedFields(upstream.policy.headers, headers)
  return `${method} ${requestKey(upstream.name, target, fields)}\n${JSON.stringify(others)}`
}

/** One of those who wait for a flight. */
class Caller {
  readonly upstream: Upstream
  readonly request: Request
  readonly startedAt: number
  readonly deadlineAt: number
  resolve: (reply: Reply | Promise<Reply>) => void = () => undefined
  reject: (error: unknown) => void = () => undefined
  /** Disarms its time and its signal. */
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

/** A call on its way, and who waits for it. */
class Flight {
  readonly #first: Caller
  readonly #board: Perform
  readonly #over: () => void
  readonly #waiting = new Set<Caller>()
  readonly #controller = new AbortController()

  constructor(first: Caller, board: Perform, over: () => void) {
    this.#first = first
    this.#board = board
    this.#over = over
  }

  /** Ends the call itself. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  join(caller: Caller): Promise<Reply> {
    this.#waiting.add(caller)
    const { upstream: { name: upstream }, request: { method, options: { signal } }, env } = caller
    const isFirst = caller === this.#first
    if (!isFirst && channels.joined.hasSubscribers) channels.joined.publish({ client: env.client ?? '', upstream, method })
    // The flight has the first one's deadline, so its own end tells that one, and the upstream's circuit, what was waited for.
    const ms = isFirst ? Infinity : caller.left
    const leave = (reason: unknown): void => { this.#leave(caller, reason) }
    caller.disarm = armTimeoutAndAbort(env, ms, signal, () => { leave(late(caller)) }, leave)
    return new Promise((resolve, reject) => {
      caller.resolve = resolve
      caller.reject = reject
    })
  }

  land(reply: Reply): void {
    for (const caller of this.#disembarked()) {
      const isFirst = caller === this.#first
      const given = isFirst ? reply : reply.copy()
      given.shared = !isFirst
      given.total = caller.env.clock.now() - caller.startedAt
      caller.resolve(given)
    }
  }

  /**
   * Those who joined later may have time left when the first one's is over. They share another flight, that of the one
   * who has the most: with any other first, all behind it would have to go on once more.
   */
  fail(error: unknown): void {
    const callers = this.#disembarked().sort((a, b) => b.deadlineAt - a.deadlineAt)
    for (const caller of callers) {
      const { upstream, request, left } = caller
      if (error instanceof DeadlineExceededError && left >= 1) {
        caller.resolve(this.#board(upstream, within(request, left)))
      } else caller.reject(caller === this.#first ? error : ownError(error, caller, this.#first))
    }
  }

  #disembarked(): Caller[] {
    this.#over()
    const callers = [...this.#waiting]
    this.#waiting.clear()
    for (const caller of callers) caller.disarm()
    return callers
  }

  #leave(caller: Caller, reason: unknown): void {
    this.#waiting.delete(caller)
    caller.reject(reason)
    if (this.#waiting.size > 0) return
    this.#over()
    this.#controller.abort(reason)
  }
}

function late(caller: Caller): DeadlineExceededError {
  const trace = caller.trace()
  trace.mark('joined an equal call', caller.startedAt)
  trace.mark('deadline passed in shared call', caller.env.clock.now())
  return new DeadlineExceededError(trace, caller.deadlineAt - caller.startedAt, 'shared call', 'maybe', 'none')
}

/** The error of the flight as it was for one who joined it. */
function ownError(error: unknown, caller: Caller, first: Caller): unknown {
  if (!(error instanceof UpstreamError)) return error
  const trace = caller.trace()
  trace.attempts = error.attempts
  const events = error.timeline.map(({ at, event }) => ({ at: first.startedAt + at, event }))
  const joined = { at: caller.startedAt, event: 'joined an equal call' }
  for (const { at, event } of [...events, joined].sort((a, b) => a.at - b.at)) trace.mark(event, at)
  return cloneError(error, trace)
}
