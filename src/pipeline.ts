import type { Env } from './clock.ts'
import type { Endpoint, Endpoints } from './endpoint.ts'
import { stack, type Send } from './layer.ts'
import { attempt } from './layers/attempt.ts'
import { breaker } from './layers/breaker.ts'
import { deadline } from './layers/deadline.ts'
import { hedge } from './layers/hedge.ts'
import { limit } from './layers/limit.ts'
import { retry } from './layers/retry.ts'
import { route } from './layers/route.ts'
import type { Budget } from './policy/budget.ts'
import type { Limit } from './policy/limit.ts'
import type { Resting } from './resting.ts'

/** What the layers of one upstream share. */
export interface Parts {
  readonly env: Env
  readonly budget: Budget
  readonly capacity: Limit
  readonly endpoints: Endpoints
  /** Where calls that wait for their next attempt are kept, for whoever has to end them. */
  readonly resting?: Resting
}

/**
 * The way of a call, top to bottom. The order matters:
 *
 * - the deadline is outermost, so it covers queue, connect, headers, body and back-off;
 * - retry stands outside the limit, so a call that waits for its next attempt holds no permit;
 * - hedge stands inside the limit, so that it measures attempts and not the wait for a permit;
 * - the limit stands outside the breaker, so what we refuse ourselves is no evidence about the upstream;
 * - each endpoint has its own breaker, so one that is down does not close the others.
 */
export const pipeline = ({ env, budget, capacity, endpoints, resting }: Parts): Send =>
  stack(
    deadline(env), //                     one limit for the whole call
    retry(env, budget, endpoints, resting), // again, while safe, useful, in time and within budget
    limit(env, capacity, endpoints), //   a permit, or a bounded wait for one
    hedge(env, budget, capacity.permits, endpoints), // a second attempt beside a slow one, if that is wanted
  )(route(endpoints)) //                  an endpoint that admits the call

/** The way on from there, at one endpoint. */
export const endpointPipeline = (env: Env, endpoint: Endpoint): Send =>
  stack(
    breaker(env, endpoint), //            hears only what the endpoint itself did
    attempt(env, endpoint), //            one try: its time limit, and what its outcome proves
  )(endpoint.pool.send)
