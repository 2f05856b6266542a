import type { Env } from './clock.ts'
import { stack, type Send } from './call/layer.ts'
import { attempt } from './layers/attempt.ts'
import { breaker } from './layers/breaker.ts'
import { deadline } from './layers/deadline.ts'
import { hedge } from './layers/hedge.ts'
import { limit } from './layers/limit.ts'
import { retry } from './layers/retry/retry.ts'
import { route } from './layers/balance.ts'
import { endpointOf } from './upstream/of-call.ts'

/**
 * The way of a call, top to bottom. The order matters:
 *
 * - the deadline is outermost, so it covers queue, connect, headers, body and back-off;
 * - retry stands outside the limit, so a call that waits for its next attempt holds no permit;
 * - hedge stands inside the limit, so that it measures attempts and not the wait for a permit;
 * - the limit stands outside the breaker, so what we refuse ourselves is no evidence about the upstream;
 * - each endpoint has its own breaker, so one that is down does not close the others.
 *
 * A client has one such stack for all its upstreams: what a layer needs of one, it finds by way of the call.
 */
export const pipeline = (env: Env): Send =>
  stack(
    deadline(env), // one limit for the whole call
    retry(env), //    again, while safe, useful, in time and within budget
    limit(env), //    a permit, or a bounded wait for one
    hedge(env), //    a second attempt beside a slow one, if that is wanted
    route, //         an endpoint that admits the call
    breaker(env), //  hears only what the endpoint itself did
    attempt(env), //  one try: its time limit, and what its outcome proves
  )(call => endpointOf(call).pool.send(call)) // undici
