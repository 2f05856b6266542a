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
 * The way of a request, top to bottom: what may refuse it, follow it with another one, or answer in place of the upstream.
 *
 * - draining stands outside redirects, so those that are being followed may be followed to their end;
 * - redirects stand outside the rest, so each hop is a request of its own, to an origin that may be called;
 * - the fallback is the last resort, so it stands outside the stale replies;
 * - a stale reply is served to each caller by its own deadline, so it stands outside the shared call;
 * - what equal requests share is one call.
 */
export const pipeline = (send: Send, upstreams: Upstreams, cache: StaleCache): Perform =>
  stack<Perform>(
    drain(upstreams), //    no new requests while closing
    redirect(upstreams), // follows redirects, if that is wanted
    fallback, //            answers in place of an upstream that can't
    stale(cache), //        the last good reply, while the upstream can't answer
    coalesce, //            one call for equal requests in flight
  )(execute(send)) //       makes the call, and turns its outcome into what the caller asked for

/**
 * The way of a call, top to bottom. The order matters:
 *
 * - the deadline is outermost, so it covers queue, connect, headers, body and back-off;
 * - retry stands outside the limit, so a call that waits for its next attempt holds no permit;
 * - hedge stands inside the limit, so that it measures attempts and not the wait for a permit;
 * - the limit stands outside the breaker, so what we refuse ourselves is no evidence about the upstream;
 * - each endpoint has its own breaker, so one that is down does not close the others.
 *
 * A client has one such stack for all its upstreams: what a layer needs of one, it finds by way of the call. What a dispatcher
 * is asked for goes down this stack alone, as its caller gets the response as it is.
 */
export const callPipeline = (env: Env): Send =>
  stack(
    deadline(env), // one limit for the whole call
    retry(env), //    again, while safe, useful, in time and within budget
    limit(env), //    a permit, or a bounded wait for one
    hedge(env), //    a second attempt beside a slow one, if that is wanted
    balance, //       an endpoint that admits the call
    breaker(env), //  hears only what the endpoint itself did
    attempt(env), //  one try: its time limit, and what its outcome proves
  )(call => endpointOf(call).pool.send(call)) // undici
