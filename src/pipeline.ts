import { stack, type Send } from './call/layer.ts'
import type { Env } from './clock.ts'
import { attempt } from './layers/attempt.ts'
import { balance } from './layers/balance.ts'
import { breaker } from './layers/breaker.ts'
import { coalesce } from './layers/coalesce.ts'
import { deadline } from './layers/deadline.ts'
import { drain } from './layers/drain.ts'
import { execute } from './layers/execute.ts'
import { fallback } from './layers/fallback.ts'
import { hedge } from './layers/hedge.ts'
import { limit } from './layers/limit.ts'
import { redirect } from './layers/redirect.ts'
import { retry } from './layers/retry/retry.ts'
import type { StaleCache } from './layers/stale/cache.ts'
import { stale } from './layers/stale/stale.ts'
import { endpointOf } from './upstream/of-call.ts'
import type { Perform } from './upstream/perform.ts'
import type { Upstreams } from './upstream/upstreams.ts'

/**
 * The layers of a request, outermost first: those that may refuse it, follow it with another one, or reply in place of the
 * upstream. The order matters:
 *
 * - drain is outside redirect, so redirects that are being followed can be followed to their end;
 * - redirect is outside the rest, so each hop is a request of its own, to an origin that may be called;
 * - fallback is outside stale, because it is the last resort;
 * - stale is outside coalesce, so each caller gets a stale reply by its own deadline;
 * - coalesce is innermost: what identical requests share is one call.
 */
export const pipeline = (send: Send, upstreams: Upstreams, cache: StaleCache): Perform =>
  stack<Perform>(
    drain(upstreams), //    refuses new requests while closing
    redirect(upstreams), // follows redirects, if configured
    fallback, //            replaces an error with a reply of your own
    stale(cache), //        replaces an error with the last good reply
    coalesce, //            shares one call between identical requests in flight
  )(execute(send)) //       creates the call, and turns its outcome into what the caller asked for

/**
 * The layers of a call, outermost first. The order matters:
 *
 * - deadline is outermost, so it covers queue, connect, headers, body and back-off;
 * - retry is outside limit, so a call in back-off holds no permit;
 * - hedge is inside limit, so it measures attempts and not the wait for a permit;
 * - limit is outside breaker, so a refusal by the client itself is no evidence about the upstream;
 * - each endpoint has its own breaker, so calls still go to the other endpoints when one is down.
 *
 * What a layer decides with is kept beside its upstream: `upstream/retry-budget.ts` (retry), `upstream/limit/` (limit),
 * `upstream/latency/` (hedge), `upstream/endpoints/` (balance), `upstream/circuit/` (breaker; `trip.ts` says when it opens);
 * `outcome/verdict.ts` says what an attempt proves.
 *
 * A client has one such stack for all its upstreams: the layers find the state of the upstream through the call. Requests of a
 * dispatcher pass through this stack only, as its caller gets the response unchanged.
 */
export const callPipeline = (env: Env): Send =>
  stack(
    deadline(env), // one time limit for the whole call
    retry(env), //    another attempt, while safe, useful, in time and within budget
    limit(env), //    a permit, or a bounded wait for one
    hedge(env), //    a second attempt beside a slow one, if configured
    balance, //       an endpoint that admits the call
    breaker(env), //  the circuit of the endpoint, which counts only what the endpoint itself did
    attempt(env), //  one attempt: its time limit, and what its outcome proves
  )(call => endpointOf(call).pool.send(call)) // undici
